"""Raw calls: their requests and results."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any, Callable
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from responses import RequestsMock

from smartxfer.errors import CredentialError, DecodeError, NotFound, UsageError
from smartxfer.smartfile import APIError, BasicClient, RequestError, ResponseError
from tests.support.fake_clock import FakeClock
from tests.support.request_bodies import body_of

API = "https://files.example.com/api/2/"
KEY = "k" * 30


def test_calling_the_client_is_get(web: RequestsMock, api: BasicClient) -> None:
    web.get(API + "ping/", json={"ping": "pong"})
    assert api.get("/ping") == api("/ping") == {"ping": "pong"}
    sent = web.calls[0].request
    assert sent.headers["Authorization"].startswith("Basic ")
    assert sent.headers["User-Agent"].startswith("smartxfer/")


def test_arguments_of_get_stand_in_the_query(web: RequestsMock, api: BasicClient) -> None:
    web.get(API + "path/info/a%20b/", json={})
    api.get("/path/info", "/a b", children=True, fields=["name", "size"], page=2, nothing=None)
    query = parse_qsl(urlsplit(web.calls[0].request.url).query)  # type: ignore[arg-type]
    assert query == [("children", "true"), ("fields", "name"), ("fields", "size"), ("page", "2")]


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_other_arguments_stand_in_a_form(web: RequestsMock, api: BasicClient, method: str) -> None:
    web.add(method.upper(), API + "path/oper/remove/", json={"uuid": "u"})
    assert getattr(api, method)("/path/oper/remove/", path=["/a", "/ü&b"], force=False) == {"uuid": "u"}
    sent = web.calls[0].request
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(sent.body.decode()) == {"path": ["/a", "/ü&b"], "force": ["false"]}  # type: ignore[union-attr]


def parts_of(request: Any) -> list[tuple[bytes, bytes]]:
    boundary = request.headers["Content-Type"].partition("boundary=")[2].encode()
    body = body_of(request)
    assert int(request.headers["Content-Length"]) == len(body)
    parts = [part[2:-2].partition(b"\r\n\r\n") for part in body.split(b"--" + boundary)[1:-1]]
    return [(head, content) for head, _, content in parts]


def looking(seen: list[tuple[bytes, bytes]]) -> Callable[[Any], Any]:
    """An answer that notes heads and contents of the parts that were sent."""

    def look(request: Any) -> Any:
        seen.extend(parts_of(request))
        return 200, {"Content-Type": "application/json"}, "[]"

    return look


def test_files_make_a_multipart_form(web: RequestsMock, api: BasicClient, tmp_path: Path) -> None:
    seen: list[tuple[bytes, bytes]] = []
    web.add_callback("POST", API + "path/data/docs/", looking(seen))
    path = tmp_path / "on disk.bin"
    path.write_bytes(b"three")
    with open(path, "rb") as file:
        api.post(
            "/path/data/",
            "/docs",
            file=("foobar.png", io.BytesIO(b"one")),
            text=io.StringIO("zwei ü"),
            disk=file,
            path=path,
            raw=("x.bin", b"four"),
            empty=("empty", b""),
            note="a field",
        )
    assert [(head.split(b"\r\n")[0].partition(b"form-data; ")[2], content) for head, content in seen] == [
        (b'name="note"', b"a field"),
        (b'name="file"; filename="foobar.png"', b"one"),
        (b'name="text"; filename="text"', "zwei ü".encode()),
        (b'name="disk"; filename="on disk.bin"', b"three"),
        (b'name="path"; filename="on disk.bin"', b"three"),
        (b'name="raw"; filename="x.bin"', b"four"),
        (b'name="empty"; filename="empty"', b""),
    ]


def test_tuples_make_files_as_requests_takes_them(
    web: RequestsMock, api: BasicClient, tmp_path: Path
) -> None:
    seen: list[tuple[bytes, bytes]] = []
    web.add_callback("POST", API + "path/data/", looking(seen))
    path = tmp_path / "a.txt"
    path.write_bytes("ü".encode("latin-1"))
    with open(path, encoding="latin-1") as file:
        api.post("/path/data/", text=("n.txt", "ß"), typed=("t.csv", b"1,2", "text/csv", {"X-Rows": "1"}), file=file)
    assert [(b"text/csv" in head, b"X-Rows: 1" in head) for head, _ in seen] == [(False, False), (True, True), (False, False)]
    assert [content for _, content in seen] == ["ß".encode(), b"1,2", "ü".encode()]
    assert b'filename="a.txt"' in seen[2][0]


def test_a_pair_of_texts_is_a_list_where_no_file_is_taken(web: RequestsMock, api: BasicClient) -> None:
    web.post(API + "path/oper/copy/", json={"uuid": "u"})
    api.post("/path/oper/copy/", src=("/a", "/b"), dst="/c")
    assert parse_qs(web.calls[0].request.body.decode()) == {"src": ["/a", "/b"], "dst": ["/c"]}  # type: ignore[union-attr]


def test_bytes_without_a_name_are_not_a_file(api: BasicClient) -> None:
    with pytest.raises(UsageError, match="name, bytes"):
        api.post("/path/data/", file=b"\xff")


@pytest.mark.parametrize(
    ("use", "seen"),
    [
        (lambda f: (f.data, f.data, f.read()), (b"0123456789", b"0123456789", b"")),
        (lambda f: (f.read(3), f.data), (b"012", b"3456789")),
        (lambda f: list(f.stream(4)), [b"0123", b"4567", b"89"]),
        (lambda f: list(f.iter_content(10)), [b"0123456789"]),
        (lambda f: (f.getheader("CONTENT-LENGTH"), f.getheader("X", "no"), f.reason), ("10", "no", "OK")),
        (lambda f: (f.release_conn(), f.closed), (None, True)),
    ],
)
def test_a_file_answer_has_the_names_of_urllib3(
    web: RequestsMock, api: BasicClient, use: Any, seen: Any
) -> None:
    web.get(API + "path/data/a/", body=b"0123456789", content_type="text/plain", headers={"Content-Length": "10"})
    with api.get("/path/data/", "a") as answer:
        assert use(answer) == seen


def test_the_response_of_an_error_survives_pickling_and_shows_no_secret(
    web: RequestsMock, api: BasicClient
) -> None:
    web.get(API + "user/", status=403, json={"detail": f"not with {KEY}"}, headers={"Set-Cookie": "a=b", "X-A": "1"})
    with pytest.raises(ResponseError) as caught:
        api.get("/user")
    response = pickle.loads(pickle.dumps(caught.value)).response
    assert (response.status_code, response.reason, response.ok, response.headers["x-a"]) == (403, "Forbidden", False, "1")
    assert "Set-Cookie" not in response.headers
    assert KEY not in response.text
    assert response.json()["detail"].startswith("not with")
    assert response.url == API + "user/"


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/hal+json"])
def test_json_of_any_spelling_is_decoded(web: RequestsMock, api: BasicClient, kind: str) -> None:
    web.get(API + "whoami/", body='{"user": "é"}'.encode(), content_type=kind)
    assert api.get("whoami") == {"user": "é"}


def test_a_file_is_never_decoded(web: RequestsMock, api: BasicClient) -> None:
    web.get(API + "path/data/a.json/", json={"a": 1}, headers={"Content-Length": "8"})
    with api.get("/path/data/", "a.json") as file:
        assert file.length == 8
        assert json.loads(file.read()) == {"a": 1}


def test_a_response_that_is_not_json_is_returned_as_a_file(web: RequestsMock, api: BasicClient) -> None:
    web.get(API + "path/export/", body=b"a,b\n", content_type="text/csv")
    assert api.get("/path/export").read() == b"a,b\n"


@pytest.mark.parametrize("status", [200, 204])
def test_an_empty_response_is_none(web: RequestsMock, api: BasicClient, status: int) -> None:
    web.delete(API + "link/u/", status=status, body=b"", headers={"Content-Length": "0"})
    assert api.delete("/link", "u") is None


def test_broken_json_is_an_error(web: RequestsMock, api: BasicClient) -> None:
    web.get(API + "ping/", body=b"{", content_type="application/json")
    with pytest.raises(DecodeError):
        api.get("/ping")


@pytest.mark.parametrize(
    ("body", "kind", "detail"),
    [
        (b'{"field_errors": {"username": ["taken"]}}', "application/json", {"username": ["taken"]}),
        (b'{"detail": "no such path"}', "application/json; charset=utf-8", "no such path"),
        (b'{"src": ["missing"]}', "application/json", "missing"),
        (b'["one", "two"]', "application/json", ["one", "two"]),
        (b'"text"', "application/json", "text"),
        (b"null", "application/json", None),
        (b"{", "application/json", "{"),
        (b"<html>not here</html>", "text/html", ""),
        (b"plain\nwords", "text/plain", "plain words"),
        (b"", "text/plain", ""),
        (b"[" * 100_000, "application/json", "[" * 500),
    ],
)
def test_an_error_body_of_any_shape(
    web: RequestsMock, api: BasicClient, body: bytes, kind: str, detail: Any
) -> None:
    web.get(API + "path/info/x/", status=404, body=body, content_type=kind)
    with pytest.raises(ResponseError) as caught:
        api.get("/path/info", "x")
    error: Any = caught.value
    assert [isinstance(error, kind) for kind in (NotFound, APIError, RequestError)] == [True, True, False]
    assert (error.status_code, error.response.status, error.detail) == (404, 404, detail)
    assert len(str(error)) < 800


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (503, {"X-Throttle": "throttled; next=0.01 sec"}, 0.01),
        (503, {"X-Throttle": "throttled; next=3 sec", "Retry-After": "9"}, 3.0),
        (503, {"X-Throttle": "rubbish"}, 1.0),
        (503, {"X-Throttle": "", "X-Throttle-Wait-Seconds": "2.5"}, 2.5),
        (429, {"Retry-After": "0.1"}, 0.1),
        (429, {"X-Throttle-Wait-Seconds": "7"}, 7.0),
        (429, {}, 1.0),
    ],
)
def test_a_throttled_request_is_made_again(
    web: RequestsMock, api: BasicClient, clock: FakeClock, status: int, headers: dict[str, str], wait: float
) -> None:
    web.post(API + "path/oper/move/", status=status, headers=headers)
    web.post(API + "path/oper/move/", json={"uuid": "u"})
    assert api.post("/path/oper/move/", src="/a", dst="/b")["uuid"] == "u"
    assert clock.waits == [pytest.approx(max(wait, 0.5) + 0.25)]


def test_ping_needs_no_credentials(web: RequestsMock, clock: FakeClock) -> None:
    web.get(API + "ping/", json={"ping": "pong"})
    with BasicClient(url="https://files.example.com", clock=clock) as api:
        assert api.get("/ping") == {"ping": "pong"}
        assert "Authorization" not in web.calls[0].request.headers
        with pytest.raises(CredentialError, match="SMARTFILE_API_KEY") as caught:
            api.get("/whoami")
    assert isinstance(caught.value, APIError)


def test_the_vendors_address_is_the_default() -> None:
    with BasicClient("k", "p") as api:
        assert api.base_url == "https://app.smartfile.com"
        assert ("base_url", "https://app.smartfile.com", "default") in api.explain_credentials()
