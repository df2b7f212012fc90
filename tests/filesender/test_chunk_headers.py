"""Headers of each chunk: the digest of its bytes as sent, and a signature that PHP can verify."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import List
from urllib.parse import parse_qsl, urlsplit

import pytest

from smartxfer import RetryPolicy
from smartxfer.errors import AuthError, Truncated
from tests.support.minimal_filesender import DATA, RawSite
from tests.support.raw_server import Request

QUICK = {"retry": RetryPolicy(attempts=3, backoff=0)}
def chunks(site: RawSite) -> List[Request]:
    return [one for one in site.requests if "/chunk/" in one.path]


def check_digests(site: RawSite) -> None:
    for chunk in chunks(site):
        assert chunk.headers["x-filesender-digest-sha256"] == hashlib.sha256(chunk.body).hexdigest()


@pytest.mark.parametrize("kind", ["file", "bytes"])
@pytest.mark.parametrize("signed", [False, True])
def test_the_digest_of_each_chunk_is_sent(site: RawSite, path: Path, kind: str, signed: bool) -> None:
    if signed:
        site.refuse("PUT", r"/rest.php/file/20/chunk/\d+", 400, "rest_security_token_did_not_match")
    site.send(path if kind == "file" else ("a.bin", DATA), client=QUICK)
    assert len(chunks(site)) == 6 + signed
    assert bytes(site.stored[20]) == DATA
    check_digests(site)


@pytest.mark.parametrize("as_text", [False, True])
def test_of_an_encrypted_chunk_it_is_that_of_the_encrypted_bytes(site: RawSite, as_text: bool) -> None:
    pytest.importorskip("cryptography")
    site.script += "    encryption_password_hash_iterations_new_files: 1000,\n"
    if as_text:
        site.script += "    encryption_encode_encrypted_chunks_in_base64_during_upload: true,\n"
    sent: List[Request] = []
    site.watch = lambda request: sent.append(request) if "/chunk/" in request.path else None
    # The few-line site writes what comes as text, so that its count does not fit: the first chunk is enough.
    try:
        site.send(("a.bin", DATA), client=QUICK, password="Correct-Horse-9-Battery")
    except Truncated:
        assert as_text
    assert DATA[:1000] not in sent[0].body
    assert len(sent) >= 3
    check_digests(site)


def test_a_digest_that_the_site_disputes_has_the_chunk_sent_again(site: RawSite) -> None:
    site.refuse("PUT", r"/rest.php/file/20/chunk/1000", 500, "checksum validation failed")
    [result] = site.send(("a.bin", DATA), client=QUICK).results
    assert result.retries == 1
    assert bytes(site.stored[20]) == DATA


@pytest.mark.parametrize("data", [b"0", b"1", b"00", b"o"])
def test_a_signed_chunk_of_the_one_byte_0_is_signed_like_no_body(site: RawSite, data: bytes) -> None:
    """PHP takes the text "0" for false, so that its string to sign ends before the body."""
    wrong: List[str] = []

    def watch(request: Request) -> None:
        arguments = dict(parse_qsl(urlsplit(request.target).query))
        signature = arguments.pop("signature", "")
        if "/chunk/" not in request.path or not signature:
            return
        flat = "&".join(f"{name}={arguments[name]}" for name in sorted(arguments))
        text = f"put&127.0.0.1{request.path}?{flat}".encode()
        if request.body not in (b"", b"0"):
            text += b"&" + request.body
        if hmac.new(b"k3y", text, hashlib.sha1).hexdigest() != signature:
            wrong.append(request.target)

    site.watch = watch
    site.refuse("PUT", r"/rest.php/file/20/chunk/0", 400, "rest_security_token_did_not_match")
    site.send(("zero.txt", data), client=QUICK)
    assert len(chunks(site)) == 2
    assert wrong == []
    assert bytes(site.stored[20]) == data


def test_a_database_that_restarts_is_waited_for(site: RawSite) -> None:
    for method, path in (("POST", "/rest.php/transfer"), ("PUT", r"/rest.php/file/20/chunk/\d+"), ("PUT", "/rest.php/file/20")):
        site.refuse(method, path, 500, "failed_to_connect_to_database")
    site.send(("a.bin", DATA), client=QUICK)
    assert site.status == "available"
    assert site.count("POST", "/rest.php/transfer") == 2


def test_a_wrong_key_is_still_an_error(site: RawSite) -> None:
    for _ in range(2):
        site.refuse("POST", "/rest.php/transfer", 500, "auth_remote_signature_check_failed")
    with pytest.raises(AuthError):
        site.send(("a.bin", DATA), client=QUICK)
