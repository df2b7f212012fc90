"""Encryption of uploads: the request body, the site's rules for passwords, and the state for a later run."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import sys
from typing import Any, Dict, List

import attrs
import pytest

from smartxfer.errors import DecodeError, SmartxferError, UsageError, WrongPassword
from smartxfer.filesender.encryption import generate_password
from smartxfer.filesender.site_address import SiteConfig
from smartxfer.filesender.upload_encryption import (
    UploadEncryption,
    require_cryptography,
    resolve_password,
    validate_password,
)
from smartxfer.transfer.file_parts import split_into_parts
from smartxfer.transfer.local_files import LocalFile, collect_files
from smartxfer.transport import redaction
from tests.support import reference_encryption as by_hand

GOOD = "Correct-Horse-7-Battery"
CONFIG = SiteConfig(encryption_password_hash_iterations_new_files=7)
#: Each rule as a site drops it.
DROPPED: Dict[str, Any] = {
    "encryption_min_password_length": 0,
    "encryption_password_must_have_upper_and_lower_case": False,
    "encryption_password_must_have_numbers": False,
    "encryption_password_must_have_special_characters": False,
}
SALT = "dD0ca9aAAb3001c68A9CEcDEa1deBdab"
CHUNK = 32


def items(**sizes: int) -> List[LocalFile]:
    return collect_files([(f"{name}.bin", bytes(size)) for name, size in sizes.items()])


def encryption_of(config: SiteConfig = CONFIG, password: str = GOOD, **options: Any) -> UploadEncryption:
    return UploadEncryption.create(password, items(a=100, b=0), config, CHUNK, **options)


# -- the site's rules for passwords ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "rule", "message"),
    [
        ("Sh0rt-passw", 0, "shorter than 12"),
        ("all-lower-1234", 1, "upper and lower"),
        ("ALL-UPPER-1234", 1, "upper and lower"),
        ("1234-5678-9012", 1, "upper and lower"),
        ("No-Digits-In-Here", 2, "a digit"),
        ("NoSpecials1234", 3, "special"),
        ("No Specials 1234", 3, "special"),
    ],
)
def test_each_stock_rule_is_the_sites_to_drop(password: str, rule: int, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        validate_password(password, SiteConfig())
    assert password not in str(caught.value)
    name = list(DROPPED)[rule]
    validate_password(password, SiteConfig(**{name: DROPPED[name]}))


@pytest.mark.parametrize("password", [GOOD, "Sh0rt-passwd", "ÄÖÜ-äöü-12345", "Ab1_________", "aB3é§........"])
def test_passwords_that_stock_sites_take(password: str) -> None:
    validate_password(password, SiteConfig())


def test_a_site_may_want_longer_ones_and_takes_generated_ones_always() -> None:
    strict = SiteConfig(encryption_min_password_length=60)
    with pytest.raises(UsageError, match="shorter than 60"):
        validate_password(GOOD, strict)
    for _ in range(20):
        validate_password(generate_password(), strict)


# -- where it comes from -----------------------------------------------------------------------------------------


def test_a_password_or_who_asks_for_it() -> None:
    asked: List[int] = []

    def ask() -> str:
        asked.append(1)
        return GOOD

    assert resolve_password(None) is None
    assert resolve_password(GOOD) == GOOD
    assert resolve_password(ask) == GOOD
    assert asked == [1]
    assert GOOD not in redaction.redact(f"it is {GOOD}!")


@pytest.mark.parametrize("wrong", ["", b"bytes-Password-1", 12, lambda: "", lambda: 7])
def test_an_invalid_password(wrong: Any) -> None:
    with pytest.raises(UsageError, match="text"):
        resolve_password(wrong)


def test_what_is_refused_is_refused_before_anything_is_made() -> None:
    with pytest.raises(UsageError, match="generate_password"):
        encryption_of(password="short")
    with pytest.raises(DecodeError, match="chunk size"):
        UploadEncryption.create(GOOD, items(a=1), CONFIG, None)
    with pytest.raises(UsageError, match="does not accept encrypted"):
        encryption_of(attrs.evolve(CONFIG, encryption_enabled=False))
    encryption_of(attrs.evolve(CONFIG, encryption_enabled=True))


def test_without_the_package_nothing_is_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    require_cryptography()
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    with pytest.raises(UsageError, match=r"smartxfer\[crypto\]"):
        encryption_of()


# -- versions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("site_version", "chosen", "expected"),
    [(None, None, 3), (1, None, 1), (3, None, 3), (0, None, 0), (1, 3, 3), (3, 1, 1), (2, 3, 3), (3, 0, 0)],
)
def test_the_key_version_is_the_callers_else_the_sites_else_3(site_version: Any, chosen: Any, expected: int) -> None:
    config = attrs.evolve(CONFIG, encryption_key_version_new_files=site_version)
    assert encryption_of(config, key_version=chosen).key_version == expected


@pytest.mark.parametrize("version", [2, 4, -1, 99])
def test_versions_that_are_not_written(version: int) -> None:
    with pytest.raises(UsageError, match="version"):
        encryption_of(key_version=version)
    with pytest.raises(UsageError, match="version"):
        encryption_of(attrs.evolve(CONFIG, encryption_key_version_new_files=version))


def test_stock_rounds_where_the_site_says_nothing() -> None:
    assert encryption_of(SiteConfig()).iterations == 4096000
    assert encryption_of().iterations == 7


# -- what is announced -------------------------------------------------------------------------------------------

BODY: Dict[str, Any] = {
    "from": "ann@example.org",
    "options": {"get_a_link": True},
    "files": [{"name": "a.bin", "size": 100, "cid": "c1"}, {"name": "b.bin", "size": 0}],
}


@pytest.mark.parametrize("version", [0, 1, 3])
def test_the_announced_body(version: int) -> None:
    encryption = encryption_of(key_version=version)
    before = json.dumps(BODY)
    body = encryption.add_to_request(BODY)
    assert json.dumps(BODY) == before
    assert body["options"] == {"get_a_link": True, "encryption": True}
    assert {name: value for name, value in body.items() if name.startswith("encryption") and "entropy" not in name} == {
        "encryption": True, "encryption_key_version": version, "encryption_password_version": 1,
        "encryption_password_encoding": "none", "encryption_password_hash_iterations": 7,
    }
    assert len(base64.b64decode(body["encryption_client_entropy"])) == 32
    assert [(file["name"], file["size"]) for file in body["files"]] == [("a.bin", 100), ("b.bin", 0)]
    assert body["files"][0]["cid"] == "c1"
    ivs = [file["iv"] for file in body["files"]]
    assert len(set(ivs)) == 2
    for file in body["files"]:
        aead = base64.b64decode(file["aead"]).decode()
        assert aead == (by_hand.aead_of(file["iv"], file["size"], CHUNK) if version == 3 else "")
        assert len(base64.b64decode(file["iv"])) == (12 if version == 3 else 16)
    assert GOOD not in json.dumps(body)


def test_a_generated_password_is_announced_as_such() -> None:
    password = generate_password()
    encryption = encryption_of(password=password)
    body = encryption.add_to_request(BODY)
    assert (body["encryption_password_version"], body["encryption_password_encoding"]) == (2, "base64")
    assert password not in json.dumps(body)
    assert password not in repr(encryption)


@pytest.mark.parametrize("password", [GOOD, "uF369qp493OWd2enU5cpvX6ElZ04DWumZ4hRKKZYhZ8="])
@pytest.mark.parametrize("version", [0, 1, 3])
@pytest.mark.parametrize("as_text", [False, True])
def test_reference_implementation_decrypts_what_is_sent(version: int, password: str, as_text: bool) -> None:
    config = attrs.evolve(CONFIG, encryption_encode_encrypted_chunks_in_base64_during_upload=as_text)
    data = bytes(range(100))
    encryption = encryption_of(config, password, key_version=version)
    announced = {file["name"]: file for file in encryption.add_to_request(BODY)["files"]}["a.bin"]
    encryption.derive_key(SALT)
    encrypt_part = encryption.create_part_encryptor("a.bin")
    key = by_hand.key_of(password, version, encryption.password_version, SALT, 7)
    aead = base64.b64decode(announced["aead"]).decode()
    found = b""
    for part in split_into_parts(100, CHUNK):
        with encrypt_part(part, [memoryview(data)[part.start : part.stop]]) as encrypted:
            sent = bytes(encrypted)
        blob = base64.b64decode(sent, validate=True) if as_text else sent
        assert len(blob) == encryption.ciphertext_length("a.bin", part)
        found += by_hand.decrypt(version, key, blob, aead) or b""
    assert found == data


# -- for a later run ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 1, 3])
def test_a_later_run_continues_with_the_same_ivs(version: int) -> None:
    first = encryption_of(key_version=version)
    first.derive_key(SALT)
    state = json.loads(json.dumps(first.get_resume_state(SALT)))
    # The site has another chunk size by now.
    second = UploadEncryption.create(GOOD, items(a=100, b=0), CONFIG, 2 * CHUNK, version)
    assert second.ciphers["a.bin"].iv != first.ciphers["a.bin"].iv
    second.restore(state)
    assert second.chunk_size == CHUNK
    assert second.ciphers == first.ciphers
    [part, *_] = split_into_parts(100, CHUNK)
    sent = []
    for one in (first, second):
        with one.create_part_encryptor("a.bin")(part, [memoryview(bytes(CHUNK))]) as encrypted:
            sent.append(bytes(encrypted))
    if version == 3:
        assert sent[0] == sent[1]
    else:  # an IV of its own for each chunk, each time
        assert sent[0] != sent[1]
        key = by_hand.key_of(GOOD, version, 1, SALT, 7)
        assert [by_hand.decrypt(version, key, blob, "") for blob in sent] == [bytes(CHUNK)] * 2


@pytest.mark.parametrize("version", [0, 1, 3])
def test_a_later_run_with_another_password_is_refused(version: int) -> None:
    first = encryption_of(key_version=version)
    first.derive_key(SALT)
    with pytest.raises(WrongPassword, match="resume=False") as caught:
        encryption_of(password=GOOD + "!", key_version=version).restore(first.get_resume_state(SALT))
    assert GOOD not in str(caught.value)


def derived(encryption: UploadEncryption) -> List[str]:
    secret = by_hand.key_of(GOOD, encryption.key_version, 1, SALT, 7)
    encoded = [base64.b64encode(text).decode() for text in (secret, GOOD.encode())]
    return [GOOD, GOOD.encode().hex(), secret.hex(), repr(secret), *encoded]


def test_nothing_secret_is_shown_or_remembered() -> None:
    encryption = encryption_of()
    encryption.derive_key(SALT)
    kept = json.dumps(encryption.get_resume_state(SALT))
    shown = [kept, repr(encryption), str(encryption), repr(encryption.ciphers), repr(encryption.create_part_encryptor("a.bin"))]
    for secret in derived(encryption):
        assert not [text for text in shown if secret in text]


def test_nothing_secret_is_in_an_error_or_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    first = encryption_of()
    first.derive_key(SALT)
    state = first.get_resume_state(SALT)
    weak = "weak-secret"
    attempts: List[Any] = [
        lambda: encryption_of(password=GOOD + "!").restore(state),
        lambda: encryption_of(password=weak),
        lambda: encryption_of(key_version=9),
        lambda: encryption_of(attrs.evolve(CONFIG, encryption_enabled=False)),
        lambda: first.derive_key(""),
    ]
    for attempt in attempts:
        with pytest.raises(SmartxferError) as caught:
            attempt()
        shown = f"{caught.value!r} {caught.value} {vars(caught.value)} {pickle.dumps(caught.value)!r}"
        assert not [secret for secret in (*derived(first), weak) if secret in shown]
    assert not [secret for secret in (*derived(first), weak) if secret in caplog.text]


@pytest.mark.parametrize("password", ["Lone-surrogate-1-\ud800", "\udcff-As-from-argv-1"])
def test_text_with_lone_surrogates_is_not_a_password(password: str) -> None:
    """Python's own message would carry the password along."""
    with pytest.raises(UsageError) as caught:
        resolve_password(password)
    assert password not in repr(vars(caught.value))
    assert not isinstance(caught.value.__cause__, UnicodeError)
