"""Decryption of downloads: the parameters that a site reports, and responses that are not valid chunks."""

from __future__ import annotations

import base64
import contextlib
import html
import pickle
import threading
from typing import Any, Dict, Iterator, List, Optional, Tuple

import pytest

from smartxfer import errors
from smartxfer.filesender.decryption import Decryptor
from smartxfer.filesender.encryption import Key
from smartxfer.filesender.html_pages import parse_download_page
from smartxfer.filesender.models import DownloadFile
from tests.support import reference_encryption as by_hand

PASSWORD = "Correct-Horse-7-Battery"
SALT = "dD0ca9aAAb3001c68A9CEcDEa1deBdab"
CHUNK = 48
DATA = bytes(range(2 * CHUNK + 7))
IVS = {version: base64.b64encode(bytes(range(12 if version > 1 else 16))).decode() for version in range(4)}


def facts_of(version: int = 3, data: bytes = DATA, number: int = 7, **changes: Any) -> Dict[str, Any]:
    """Return the attributes of a file on the download page, with underscores in their names."""
    aead = by_hand.aead_of(IVS[version], len(data), CHUNK) if version > 1 else ""
    key = by_hand.key_of(PASSWORD, version, 1, SALT, 5)
    facts = {
        "id": number,
        "encrypted": "1",
        "mime": "text/plain",
        "name": "a.bin",
        "size": len(data),
        "encrypted_size": sum(map(len, by_hand.encrypt_file(version, key, data, CHUNK, IVS[version]))),
        "chunk_size": CHUNK,
        "crypted_chunk_size": CHUNK + 32,
        "key_version": version,
        "key_salt": SALT,
        "password_version": 1,
        "password_encoding": "none",
        "password_hash_iterations": 5,
        "client_entropy": "",
        "fileiv": IVS[version],
        "fileaead": base64.b64encode(aead.encode()).decode(),
        "transferid": 3,
    }
    return {**facts, **changes}


def file_of(version: int = 3, data: bytes = DATA, **changes: Any) -> DownloadFile:
    facts = facts_of(version, data, **changes)
    return DownloadFile.from_attributes({name: value for name, value in facts.items() if value is not None})


class Answer:
    """Bytes that come as from a server, a few at a time."""

    def __init__(self, data: bytes, start: int, whole: bool = False) -> None:
        self.start, self.is_full_object, self.size, self.end = start, whole, len(data), start + len(data)
        self._left = memoryview(data)

    def read(self) -> memoryview:
        piece, self._left = self._left[:20], self._left[20:]
        return piece

    def readinto_full(self, into: memoryview) -> int:
        piece, self._left = self._left[: len(into)], self._left[len(into) :]
        into[: len(piece)] = piece
        return len(piece)


class Site:
    """Encrypted file on a server, by chunks; a range begins at the offset of the plaintext."""

    def __init__(self, version: int = 3, data: bytes = DATA, password: str = PASSWORD) -> None:
        key = by_hand.key_of(password, version, 1, SALT, 5)
        self.blobs = by_hand.encrypt_file(version, key, data, CHUNK, IVS[version])
        self.asked: List[Tuple[int, int]] = []
        self.shift, self.whole, self.cut, self.more = 0, False, 0, b""
        self.failure: Optional[BaseException] = None

    @contextlib.contextmanager
    def fetch(self, start: int, stop: int) -> Iterator[Any]:
        self.asked.append((start, stop))
        if self.failure is not None:
            raise self.failure
        blob = self.blobs[start // CHUNK]
        assert (start % CHUNK, stop - start) == (0, len(blob))
        yield Answer(blob[: len(blob) - self.cut] + self.more, start + self.shift, self.whole)


def read(decryptor: Decryptor, file: DownloadFile, start: int, site: Site) -> bytes:
    with decryptor.fetch_chunk(file, start, site.fetch) as chunk_reader:
        assert chunk_reader.start == start - start % CHUNK
        assert chunk_reader.end == chunk_reader.start + chunk_reader.size
        assert not chunk_reader.is_full_object
        found = b"".join(bytes(piece) for piece in iter(chunk_reader.read, memoryview(b"")))
    assert len(found) == chunk_reader.size
    return found


def all_of(decryptor: Decryptor, file: DownloadFile, site: Site) -> bytes:
    return b"".join(read(decryptor, file, start, site) for start in range(0, file.size, CHUNK))


# -- the site's parameters -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("element", ["tr", "div"])
@pytest.mark.parametrize("version", range(4))
def test_a_page_of_either_release(element: str, version: int) -> None:
    attributes = " ".join(
        f'data-{name.replace("_", "-")}="{html.escape(str(value))}"'
        for name, value in facts_of(version).items()
    )
    [file] = parse_download_page(
        f'<html><body><{element} class="file" {attributes}></{element}></body></html>'
    )
    assert file.encrypted
    assert all_of(Decryptor(PASSWORD), file, Site(version)) == DATA


@pytest.mark.parametrize("sign", ["-", "_"])
@pytest.mark.parametrize("encrypted", [True, "1", "true", 1])
def test_the_json_of_any_user(sign: str, encrypted: Any) -> None:
    facts = {name.replace("_", sign): value for name, value in facts_of(encrypted=encrypted).items()}
    del facts[f"chunk{sign}size"], facts[f"crypted{sign}chunk{sign}size"]
    file = DownloadFile.from_attributes(facts).with_chunk_size(CHUNK)
    assert all_of(Decryptor(PASSWORD), file, Site()) == DATA


@pytest.mark.parametrize(
    "name", ["encrypted_size", "crypted_chunk_size", "client_entropy", "password_version"]
)
@pytest.mark.parametrize("value", [None, ""])
def test_optional_parameters(name: str, value: Any) -> None:
    assert all_of(Decryptor(PASSWORD), file_of(**{name: value}), Site()) == DATA


@pytest.mark.parametrize("version", [0, 1, 3])
@pytest.mark.parametrize("name", ["key_version", "chunk_size", "key_salt"])
def test_required_parameters(name: str, version: int) -> None:
    """A key of one hash, as that of version 0, needs no salt."""
    file, said = file_of(version, **{name: None}), "salt" if name == "key_salt" else "a.bin"
    allowed = (name, version) == ("key_salt", 0)
    with contextlib.nullcontext() if allowed else pytest.raises(errors.DecodeError, match=said):
        Decryptor(PASSWORD).verify_password(file, Site(version).fetch)


@pytest.mark.parametrize(
    ("change", "error"),
    [({"fileaead": value}, errors.IntegrityError) for value in (None, "e30=")]
    + [({"fileiv": value}, errors.IntegrityError) for value in (None, IVS[1])]
    + [({"fileaead": value}, errors.DecodeError) for value in ("no base64", "w6Q=", "e30")],
)
def test_the_parameters_of_gcm_must_agree(change: Dict[str, Any], error: Any) -> None:
    with pytest.raises(error):
        Decryptor(PASSWORD).create_chunk_cipher(file_of(**change))


@pytest.mark.parametrize("version", range(4))
@pytest.mark.parametrize("change", [-1, 1, 16, -32, 32])
def test_sizes_that_disagree(version: int, change: int) -> None:
    right = file_of(version).encrypted_size
    assert right is not None
    with pytest.raises(errors.IntegrityError, match=str(right)):
        Decryptor(PASSWORD).create_chunk_cipher(file_of(version, encrypted_size=right + change))
    with pytest.raises(errors.IntegrityError):
        Decryptor(PASSWORD).create_chunk_cipher(file_of(version, size=len(DATA) + change + 16))


@pytest.mark.parametrize("rounds", [-1, 10**8 + 1, 2**31 - 1, 2**40, 2**70])
def test_rounds_that_no_site_asks_for_are_an_error_of_the_sites(rounds: int) -> None:
    """The rounds are rejected, not computed: a computation of a quarter of an hour could not be stopped."""
    done = threading.Event()
    caught: List[BaseException] = []

    def prove() -> None:
        try:
            Decryptor(PASSWORD).verify_password(file_of(password_hash_iterations=rounds), Site().fetch)
        except BaseException as error:  # noqa: BLE001 - the test examines it
            caught.append(error)
        done.set()

    threading.Thread(target=prove, daemon=True).start()
    assert done.wait(5)
    assert isinstance(caught[0], errors.SmartxferError)


@pytest.mark.parametrize("version", [0, 1, 3])
@pytest.mark.parametrize("chunk", [-CHUNK, -1, 2**31, 2**60])
def test_chunks_that_no_site_has(version: int, chunk: int) -> None:
    """Neither memory for them nor a request; nor for versions that are not known."""
    site, size = Site(version), max(chunk, len(DATA))
    for change in ({"key_version": 7}, {"key_version": -1}, {"password_version": 3}):
        with pytest.raises(errors.SmartxferError):
            Decryptor(PASSWORD).verify_password(file_of(encrypted_size=None, **change), site.fetch)
    aead = base64.b64encode(by_hand.aead_of(IVS[version], size, chunk).encode()).decode()
    changes: Dict[str, Any] = {"chunk_size": chunk, "size": size, "encrypted_size": None, "fileaead": aead}
    with pytest.raises((errors.DecodeError, errors.IntegrityError)):
        Decryptor(PASSWORD).verify_password(file_of(version, **changes), site.fetch)
    assert site.asked == []


@pytest.fixture
def derived(monkeypatch: pytest.MonkeyPatch) -> List[int]:
    """The rounds of every key that is derived; a key of many rounds is made with few."""
    rounds: List[int] = []
    real = Key.derive

    def derive(password: str, **parameters: Any) -> Key:
        rounds.append(parameters["iterations"])
        return real(password, **{**parameters, "iterations": 5})

    monkeypatch.setattr(Key, "derive", derive)
    return rounds


def test_missing_rounds_are_the_default_of_the_database(derived: List[int]) -> None:
    assert all_of(Decryptor(PASSWORD), file_of(password_hash_iterations=None), Site()) == DATA
    assert derived == [150000]


# -- one key per parameters --------------------------------------------------------------------------------------


def test_a_key_is_derived_once_for_files_of_the_same_parameters(derived: List[int]) -> None:
    decryptor, site = Decryptor(PASSWORD), Site()
    files = [file_of(number=number) for number in range(5)]
    threads = [threading.Thread(target=all_of, args=(decryptor, file, site)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(derived) == 1
    assert all_of(decryptor, file_of(1), Site(1)) == DATA
    assert len(derived) == 2
    with pytest.raises(errors.IntegrityError):
        read(decryptor, file_of(key_salt=SALT.lower()), 0, site)
    assert len(derived) == 3


# -- proof before anything is written ----------------------------------------------------------------------------


def test_the_first_chunk_is_proven_and_not_fetched_again() -> None:
    decryptor, site, file = Decryptor(PASSWORD), Site(), file_of()
    decryptor.verify_password(file, site.fetch)
    assert site.asked == [(0, CHUNK + 32)]
    assert all_of(decryptor, file, site) == DATA
    assert site.asked == [(0, 80), (48, 128), (96, 135)]
    # The chunk is kept for one use, and for this file only.
    assert read(decryptor, file, 0, site) == DATA[:CHUNK]
    assert len(site.asked) == 4


def test_what_was_proven_of_one_file_is_not_taken_for_another() -> None:
    other = bytes(reversed(DATA))
    decryptor = Decryptor(PASSWORD)
    decryptor.verify_password(file_of(), Site().fetch)
    assert all_of(decryptor, file_of(data=other, number=8), Site(data=other)) == other


def test_the_middle_of_a_chunk_gets_the_whole_of_it() -> None:
    decryptor, site = Decryptor(PASSWORD), Site()
    assert read(decryptor, file_of(), CHUNK + 10, site) == DATA[CHUNK : 2 * CHUNK]
    assert site.asked == [(CHUNK, 2 * CHUNK + 32)]


@pytest.mark.parametrize("version", range(4))
def test_a_wrong_password(version: int) -> None:
    # A full chunk of CBC ends in 16 bytes of padding, which no accident makes.
    with pytest.raises(errors.WrongPassword, match="password") as caught:
        Decryptor(PASSWORD + "!").verify_password(file_of(version), Site(version).fetch)
    shown = f"{caught.value!r} {caught.value} {vars(caught.value)} {pickle.dumps(caught.value)!r}"
    assert PASSWORD not in shown


def test_text_where_a_generated_password_is_wanted() -> None:
    with pytest.raises(errors.WrongPassword, match="generated"):
        Decryptor(PASSWORD).verify_password(file_of(password_version=2, password_encoding="base64"), Site().fetch)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("index", [0, 1, 2])
def test_damage_after_the_password_was_verified_is_not_a_wrong_password(index: int, version: int) -> None:
    decryptor, site, file = Decryptor(PASSWORD), Site(version), file_of(version)
    decryptor.verify_password(file, site.fetch)
    if index == 0:
        read(decryptor, file, 0, site)  # uses up the chunk that was kept
    site.blobs[index] = site.blobs[index][:-1] + bytes([site.blobs[index][-1] ^ 1])
    with pytest.raises(errors.IntegrityError, match=f"chunk {index} of 'a.bin' is damaged") as caught:
        read(decryptor, file, index * CHUNK, site)
    assert not isinstance(caught.value, errors.WrongPassword)


# -- responses that are not a chunk -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 3])
def test_an_answer_that_ends_early_may_be_asked_for_again(version: int) -> None:
    decryptor, site, file = Decryptor(PASSWORD), Site(version), file_of(version)
    for site.cut in (1, 16, 79, 80):
        with pytest.raises(errors.Truncated) as caught:
            read(decryptor, file, 0, site)
        assert caught.value.retryable
        assert (caught.value.got, caught.value.expected) == (80 - site.cut, 80)
    site.cut = 0
    assert all_of(decryptor, file, site) == DATA


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"more": bytes(count)}, "longer than the requested range") for count in (1, 16, 1000)]
    + [({"shift": count}, None) for count in (-1, 1, CHUNK, -CHUNK)]
    + [({"whole": True}, "does not support ranges")],
)
def test_an_answer_of_another_range(changes: Dict[str, Any], said: Any) -> None:
    site = Site()
    vars(site).update(changes)
    with pytest.raises(errors.RangeMismatch, match=said):
        read(Decryptor(PASSWORD), file_of(), CHUNK, site)


def test_a_file_of_one_chunk_needs_no_ranges() -> None:
    short = Site(data=DATA[:20])
    short.whole = True
    assert read(Decryptor(PASSWORD), file_of(data=DATA[:20]), 0, short) == DATA[:20]


def test_what_fails_to_arrive_fails_as_it_is() -> None:
    decryptor, site = Decryptor(PASSWORD), Site()
    site.failure = errors.Truncated("gone", got=0, expected=1)
    with pytest.raises(errors.Truncated, match="gone"):
        decryptor.verify_password(file_of(), site.fetch)
    site.failure = None
    decryptor.verify_password(file_of(), site.fetch)
    assert all_of(decryptor, file_of(), site) == DATA
