"""Signatures, compared with the worked example and with a second implementation of the rules."""

from __future__ import annotations

import hashlib
import hmac
import pickle
from typing import Any, Dict, List, Tuple
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import CredentialError
from smartxfer.filesender.auth import Auth, GuestAuth, UserAuth, sign_guest_request, sign_user_request
from smartxfer.transfer.body import PartBody
from smartxfer.transfer.file_parts import Part
from smartxfer.transfer.source import open_source

ANN = UserAuth("ann@example.org", "k3y")
PUID = "5f6ae5e9-5e0c-47a8-9a2c-000000000001"
RTT = "0123456789abcdef0123456789abcdef"


def prepared(method: str, url: str, params: Any = (), body: Any = None) -> requests.PreparedRequest:
    return requests.Request(method, url, params=list(params), data=body).prepare()


def hexdigest(text: bytes, key: str = "k3y") -> str:
    return hmac.new(key.encode("utf-8"), text, hashlib.sha1).hexdigest()


def query(request: requests.PreparedRequest) -> Dict[str, str]:
    return dict(parse_qsl(urlsplit(str(request.url)).query, keep_blank_values=True))


CHUNK = bytes(range(256)) * 5
REST = "fs.example.org/rest.php"
USER = "remote_user=ann@example.org"


@pytest.mark.parametrize(
    ("method", "path", "params", "body", "text"),
    [
        ("GET", "/rest.php/transfer", [], None, f"get&{REST}/transfer?{USER}&timestamp=5"),
        ("DELETE", "/rest.php/transfer/7", [], b"", f"delete&{REST}/transfer/7?{USER}&timestamp=5"),
        ("GET", "/f s/info", [], None, f"get&fs.example.org/f s/info?{USER}&timestamp=5"),
        (
            "PUT", "/rest.php/file/7/chunk/0", [("key", PUID), ("roundtriptoken", RTT)], CHUNK,
            f"put&{REST}/file/7/chunk/0?key={PUID}&{USER}&roundtriptoken={RTT}&timestamp=5&",
        ),
    ],
    ids=["a get", "an empty body is not signed", "the path is signed decoded", "a chunk"],
)
def test_the_worked_examples(method: str, path: str, params: Any, body: Any, text: str) -> None:
    request = prepared(method, f"https://fs.example.org{path}", params, body)
    assert ("%20" in str(request.url)) == (" " in path)
    signed = query(sign_user_request(request, ANN, host="fs.example.org", timestamp=5))
    expected = {**dict(params), "remote_user": "ann@example.org", "timestamp": "5"}
    assert signed == {**expected, "signature": hexdigest(text.encode("ascii") + (body or b""))}


def test_a_chunk_that_is_read_piece_by_piece_has_the_same_signature() -> None:
    data = bytes(range(256)) * 4096
    part = Part(0, 1000, 900_000)
    body = PartBody(open_source(data), part, lambda count: None)
    url = "https://fs.example.org/rest.php/file/7/chunk/1000"
    streamed = requests.Request("PUT", url, data=body).prepare()
    whole = prepared("PUT", url, body=data[1000:900_000])
    signatures = [
        query(sign_user_request(request, ANN, host="fs.example.org", timestamp=1700000000))["signature"]
        for request in (streamed, whole)
    ]
    assert signatures[0] == signatures[1]


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@given(
    arguments=st.dictionaries(NAMES, TEXTS, max_size=5),
    username=TEXTS.filter(bool),
    key=TEXTS.filter(bool),
    body=st.binary(max_size=60),
    timestamp=st.integers(0, 2**33),
)
def test_what_is_signed_is_what_the_server_reads(
    arguments: Dict[str, str], username: str, key: str, body: bytes, timestamp: int
) -> None:
    """The server sorts the decoded arguments of the URL that it gets, the signature left out."""
    for reserved in ("remote_user", "timestamp", "signature"):
        arguments.pop(reserved, None)
    request = prepared("PUT", "https://fs.example.org/rest.php/guest/1", arguments.items(), body)
    sign_user_request(request, UserAuth(username, key), host="fs.example.org", timestamp=timestamp)
    received = parse_qsl(urlsplit(str(request.url)).query, keep_blank_values=True, strict_parsing=True)
    said: List[Tuple[str, str]] = sorted(
        ((name, value) for name, value in received if name != "signature"),
        key=lambda pair: pair[0].encode("utf-8"),
    )
    assert dict(said) == {**arguments, "remote_user": username, "timestamp": str(timestamp)}
    text = "put&fs.example.org/rest.php/guest/1?" + "&".join(f"{name}={value}" for name, value in said)
    # PHP takes the text "0" for no body.
    tail = b"&" + body if body not in (b"", b"0") else b""
    assert dict(received)["signature"] == hexdigest(text.encode("utf-8") + tail, key)


@pytest.mark.parametrize("csrf", ["csrf", None], ids=["csrf", "a site without csrf"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_guests_writing_call_carries_both_tokens(method: str, csrf: Any) -> None:
    """A reading one carries the voucher alone."""
    request = prepared(method, "https://fs.example.org/rest.php/transfer/3", [("puid", PUID)])
    signed = sign_guest_request(request, GuestAuth("voucher", "security", csrf))
    assert query(signed) == {"puid": PUID, "vid": "voucher"}
    tokens = [signed.headers.get(name) for name in ("X-Filesender-Security-Token", "csrfptoken")]
    assert tokens == ([None, None] if method == "GET" else ["security", csrf])


def test_a_guest_without_a_session_gets_a_hint() -> None:
    request = prepared("POST", "https://fs.example.org/rest.php/transfer")
    with pytest.raises(CredentialError, match="prepare"):
        sign_guest_request(request, GuestAuth("voucher"))


@pytest.mark.parametrize(
    "auth", [UserAuth("ann", "53cret-53cret"), GuestAuth("53cret-1", "53cret-2", "53cret-3")]
)
def test_no_secret_in_the_repr(auth: Auth) -> None:
    assert "53cret" not in repr(auth)
    assert "***" in repr(auth)
    assert pickle.loads(pickle.dumps(auth)) == auth


def test_what_was_not_given_is_shown_as_such() -> None:
    assert repr(GuestAuth("v")) == "GuestAuth(guest_token='***', security_token=None, csrf_token=None)"
