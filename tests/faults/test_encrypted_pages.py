"""Parameters of encrypted transfers on pages of a site, and exchanged files and chunks: F17, F28, F30."""

from __future__ import annotations

import base64
from functools import partial
from pathlib import Path
from typing import Any, Dict, List

import pytest

from smartxfer.errors import DecodeError, IntegrityError, PasswordRequired, SmartxferError, WrongPassword
from tests.support import encrypted_harness as encrypted
from tests.support.encrypted_harness import DATA, PASSWORD, SITE, STORED, broken_off, down, left, published
from tests.support.filesender_harness import CHUNK_SIZE, DOWNLOAD, FileSenderHarness, noise

FRESH = partial(FileSenderHarness, **SITE)


def _change(harness: Any, table: str, what: str, *values: Any) -> None:
    records = harness.site.backend.repository
    with records.db.transaction():
        records.db.execute_count(f"UPDATE {table} SET {what}", *values)


def _send(harness: Any, files: Dict[str, bytes]) -> Any:
    with harness.client() as client:
        return client.upload_workflow(list(files.items()), link=True, password=PASSWORD)


def _stored(harness: Any) -> List[Path]:
    """The files of the latest transfer on the disk of the site."""
    return [Path(harness.site.stored(file["id"])) for file in harness.site.transfers()[-1]["files"] if file["size"]]


_OTHER_IV = base64.b64encode(b"z" * 12).decode()
_AEAD = base64.b64encode(b'{"aeadversion":1,"chunkcount":1,"chunksize":5,"iv":"x","aeadterminator":1}').decode()


@pytest.mark.parametrize(
    ("table", "what", "kind"),
    [
        ("files", f"iv='{_OTHER_IV}'", IntegrityError),
        ("files", "iv='no base64'", (IntegrityError, DecodeError)),
        ("files", f"aead='{_AEAD}'", IntegrityError),
        ("files", "aead='no base64'", DecodeError),
        ("files", "aead=''", IntegrityError),
        ("files", "size=size-1", IntegrityError),
        ("files", "encrypted_size=encrypted_size+1", IntegrityError),
        ("transfers", "chunk_size=chunk_size+16", IntegrityError),
        ("transfers", "salt='0123456789abcdef0123456789abcdef'", WrongPassword),
        ("transfers", "encryption=json_set(encryption, '$.key_version', 1)", IntegrityError),
        ("transfers", "encryption=json_set(encryption, '$.key_version', 7)", SmartxferError),
        ("transfers", "encryption=json_set(encryption, '$.password_version', 7)", SmartxferError),
        ("transfers", "encryption=json_set(encryption, '$.password_version', 2)", WrongPassword),
        ("transfers", "encryption=json_set(encryption, '$.password_hash_iterations', 8)", WrongPassword),
    ],
    ids=lambda value: value.replace("encryption=json_set(encryption, ", "")[:40] if isinstance(value, str) else "",
)  # fmt: skip
def test_a_page_that_contradicts_the_file(harness: Any, table: str, what: str, kind: Any) -> None:
    """Whatever the page says, an error of ours ends it before anything is written."""
    transfer = published(harness, DATA)
    _change(harness, table, what)
    with pytest.raises(kind) as caught:
        down(harness, transfer)
    if kind is IntegrityError:
        assert not isinstance(caught.value, WrongPassword), "the page is at fault, not the password"
    assert not harness.out.exists()


def test_a_chunk_larger_than_memory_is_an_error_of_the_sites(harness: Any) -> None:
    """All parameters agree with each other; but a chunk is held in memory, and this one will not fit."""
    transfer = published(harness, DATA)
    huge = 10**13
    [row] = harness.site.transfers()[-1]["files"]
    aead = f'{{"aeadversion":1,"chunkcount":1,"chunksize":{huge},"iv":"{row["iv"]}","aeadterminator":1}}'
    _change(harness, "transfers", "chunk_size=?", huge)
    encoded = base64.b64encode(aead.encode()).decode()
    _change(harness, "files", "size=?, encrypted_size=?, aead=?", huge, huge + encrypted.MORE, encoded)
    with pytest.raises(SmartxferError):
        down(harness, transfer)
    assert not harness.out.exists()


@pytest.mark.parametrize("other", [True, False], ids=["of another file under the same key", "in another order"])
def test_f17_exchanged_chunks(harness: Any, other: bool) -> None:
    """A server that puts one chunk, or one of another file, in the place of another is found out by the IV."""
    files = {name: noise(3 * CHUNK_SIZE, seed) for seed, name in enumerate(["a.bin", "b.bin"])}
    transfer = _send(harness, files)
    first, second = _stored(harness)
    blob = first.read_bytes()
    taken = second.read_bytes()[STORED : 2 * STORED] if other else blob[2 * STORED :]
    first.write_bytes(blob[:STORED] + taken + (blob[2 * STORED :] if other else blob[STORED : 2 * STORED]))
    with pytest.raises(IntegrityError, match="another chunk"):
        down(harness, transfer, files=["a.bin"])
    encrypted.nothing_wrong_left(harness, files["a.bin"])


def test_f17_another_file_between_two_runs(harness: Any) -> None:
    """A part file is not continued with the chunks of another file, although they are authentic."""
    files = {name: noise(4 * CHUNK_SIZE, seed) for seed, name in enumerate(["a.bin", "b.bin"])}
    transfer = _send(harness, files)
    rows = [file for file in harness.site.transfers()[-1]["files"] if file["size"]]
    broken_off(harness, transfer, 2, files=["a.bin"])
    paths = _stored(harness)
    for path, blob in zip(paths, [path.read_bytes() for path in reversed(paths)]):
        path.write_bytes(blob)
    for row, other in zip(rows, reversed(rows)):
        _change(harness, "files", "iv=?, aead=? WHERE id=?", other["iv"], other["aead"], row["id"])
    down(harness, transfer, files=["a.bin"])
    assert (harness.out / "a.bin").read_bytes() in files.values(), "one or the other, and not half of each"


# -- names and archives -------------------------------------------------------------------------------------

_NAMES: Dict[str, str] = {
    "../x": "x", "/etc/x": "etc/x", "a\\..\\b": "a/b", "C:\\x": "x", "CON": "CON", "new\nline": "new_line",
    "rtl\u202egnp": "rtl_gnp",
}  # fmt: skip


def test_f28_hostile_names(harness: Any, tmp_path: Path) -> None:
    """The names are the server's to tell, encrypted or not; all at once, each file under its own."""
    contents = [noise(CHUNK_SIZE + number, number) for number in range(len(_NAMES))]
    transfer = _send(harness, {f"{number}.bin": data for number, data in enumerate(contents)})
    for number, name in enumerate(_NAMES):
        _change(harness, "files", "name=? WHERE name=?", name, f"{number}.bin")
    before = set(left(tmp_path))
    found = {result.name: result.path for result in down(harness, transfer)}
    for name, data in zip(_NAMES, contents):
        where = found[name].relative_to(harness.out).as_posix()
        assert where == _NAMES[name] or " (2)" in where
        assert found[name].read_bytes() == data
    assert set(left(tmp_path)) == before | {f"{harness.out.name}/{name}" for name in left(harness.out)}


def test_f30_an_archive_of_it(harness: Any) -> None:
    """The server would pack files that cannot be decrypted, so no request is sent."""
    transfer = published(harness, DATA)
    harness.site.listener.clear_log()
    for form in ("zip", "tar"):
        with harness.client() as client, pytest.raises(PasswordRequired):
            client.download_archive(transfer.token, harness.out / f"all.{form}", archive_format=form)
    assert (harness.site.count(DOWNLOAD), harness.out.exists()) == (0, False)
