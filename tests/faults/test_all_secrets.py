"""Marked secrets of every service, every optional library installed, every logger at DEBUG, every kind of failure.

No mark is in a log record, a message, a traceback with local variables, a pickle, a warning, on standard output (the
debug output of http.client included), or in a file.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from smartxfer import FileSenderClient, GuestAuth, UserAuth
from smartxfer.errors import SmartxferError
from smartxfer.jetstream import JetStream
from smartxfer.nrp import get_client
from smartxfer.perseus import PerseusClient
from smartxfer.smartfile import BasicClient, OAuthClient
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import noise
from tests.support.raw_server import Peer, RawServer, Request, answering, refused_port, status
from tests.support.secret_scan import captured, check_all, error_text, errors_of

#: Every secret has it; one is long, one has characters that are written otherwise in URLs, headers and JSON.
MARK = "MARKED"
SECRET = f"{MARK}-0123456789abcdef"
OTHER = f'{MARK} of+a/user & "more"'
TOKEN = f"{MARK}000-1111-2222-3333-444444444444".replace("MARKED000", "MARKED00")
BASIC = base64.b64encode(f"{SECRET}:{OTHER}".encode()).decode()
PROXY = base64.b64encode(f"ann:{MARK}-of-a-proxy".encode()).decode()
POLICY = RetryPolicy(attempts=2, backoff=0, stall_window=0.3)

Steps = List[Callable[[], Any]]


def _filesender(url: str, **options: Any) -> Steps:
    user = FileSenderClient(url, auth=UserAuth("ann@example.org", SECRET), **options)
    guest = FileSenderClient(url, auth=GuestAuth(SECRET), **options)
    bare = FileSenderClient(url, **options)
    return [
        user.transfers.list,
        lambda: user.upload_workflow([("a.bin", b"1")], password=OTHER),
        lambda: user.transfers.find(link=f"{url}/?s=download&token={TOKEN}"),
        lambda: user.post("transfer", token=SECRET),
        lambda: guest.upload_workflow([("a.bin", b"1")]),
        lambda: bare.download_files(TOKEN, Path("out"), password=OTHER),
        lambda: FileSenderClient(f"{url}/?s=download&token={TOKEN}", **options).list_files(TOKEN),
        lambda: bare.download_file(f"{url}/?token={TOKEN}", 1, Path("out")),
    ]


def _smartfile(url: str, **options: Any) -> Steps:
    api = BasicClient(SECRET, OTHER, url=url, **options)
    return [
        lambda: api.upload(b"1", "/a.bin"),
        lambda: api.download("/a.bin", "out.bin"),
        lambda: api.create_link("/a.bin", password=OTHER),
        lambda: api.post("/user", username="bob", password=OTHER),
    ]


def _oauth(url: str, **options: Any) -> Steps:
    api = OAuthClient(SECRET, OTHER, f"{SECRET}-access", f"{OTHER}-access", url=url, **options)
    return [
        api.get_request_token,
        lambda: api.get_access_token((f"{SECRET}-request", f"{OTHER}-request"), f"{MARK}-verifier"),
        lambda: api.get("/path/info"),
        lambda: api.download("/a.bin", "out.bin"),
    ]


def _nrp(url: str, **options: Any) -> Steps:
    api = get_client(url, token=SECRET, **options)
    link = f"{url}/records/abc?token={MARK}-of-a-link"
    return [
        lambda: api.records.read("abc"),
        lambda: api.records.read(link),
        lambda: api.files.list(link),
        lambda: api.files.download(link, "a.bin", "out.bin"),
        lambda: api.files.upload(link, "a.bin", None, b"1"),
        lambda: api.get("records/abc", token=SECRET),
    ]


def _perseus(url: str, **options: Any) -> Steps:
    api = PerseusClient(url, api_key=SECRET, **options)
    return [
        lambda: api.file.upload_file(("a.bin", b"1")),
        api.file.find_files,
        lambda: api.file.create_file("a.bin", "0" * 64),
        lambda: api.get("file", key=SECRET),
    ]


def _jetstream(url: str, **options: Any) -> Steps:
    api = JetStream().api(url, user="ann", password=OTHER, **options)
    link = url.replace("http", "jetstream") + f"/download?token={MARK}.OF.A-LINK"
    return [
        # The first, as servers repeat this secret from the first answer on.
        lambda: api.server.authToken(SECRET, OTHER),
        api.connect,
        lambda: api.server.auth("ann", OTHER),
        lambda: api.share(["/a"], password=OTHER),
        lambda: api.call("auth", user="ann", password=OTHER),
        lambda: JetStream.from_uri(link, password=OTHER, **options),
        lambda: api.send_files(["/a"], "127.0.0.1:1", timeout=1),
        lambda: api.server.getAPIToken(SECRET),
    ]


SERVICES: Dict[str, Callable[..., Steps]] = {
    "filesender": _filesender,
    "smartfile": _smartfile,
    "oauth": _oauth,
    "nrp": _nrp,
    "perseus": _perseus,
    "jetstream": _jetstream,
}


# -- what goes wrong ----------------------------------------------------------------------------------------


def _repeating(code: int, kind: str) -> Callable[[Request, Peer], None]:
    """Answer with all that came."""

    def reply(request: Request, peer: Peer) -> None:
        said = f"{request.method} {request.target} {request.headers} {request.body.decode('latin-1')}"
        body = said if kind == "text/plain" else json.dumps(
            {"message": said, "detail": said, "error": said, "uid": said, "id": said, said: [said], "token": said}
        )
        peer.answer(code, body.encode(), f"Content-Type: {kind}")

    return reply


def _redirecting(code: int, where: str) -> Callable[[Request, Peer], None]:
    return lambda request, peer: peer.answer(code, b"", f"Location: {where}{request.path}?token={SECRET}")


def _raw(answer: bytes) -> Callable[[Request, Peer], None]:
    return lambda request, peer: peer.sock.sendall(answer) or peer.sock.shutdown(2)


#: Header lines that no library can read, a body that ends early, and a response that is not HTTP.
_BROKEN = f"HTTP/1.1 200 OK\r\nX: {SECRET}\r\n{SECRET} no colon\r\n Content-Length: 2\r\n\r\n{{}}".encode()
_SHORT = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{{{SECRET}".encode()
_NOISE = f"{SECRET} {SECRET}\r\n".encode() * 3

REPLIES: Dict[str, Callable[[Request, Peer], Any]] = {
    **{f"{code} application/json": _repeating(code, "application/json") for code in (400, 401, 403, 404, 429, 500)},
    "403 text": _repeating(403, "text/plain"),
    "200 json": _repeating(200, "application/json"),
    "200 text": _repeating(200, "text/plain"),
    "301": _redirecting(301, "http://127.0.0.1:1"),
    "307": _redirecting(307, "http://127.0.0.1:1"),
    "302 to nowhere": _redirecting(302, "http://[bad"),
    "broken headers": _raw(_BROKEN),
    "ends early": _raw(_SHORT),
    "no http": _raw(_NOISE),
    "reset": _raw(b""),
    "silent": lambda request, peer: peer.hang(),
}  # fmt: skip


@contextlib.contextmanager
def _failing(kind: str) -> Iterator[Any]:
    """The address of a server that fails so, and the options of a client of it."""
    options: Dict[str, Any] = {"retry": POLICY, "timeout": 0.3, "proxies": {}}
    if kind == "refused":
        with refused_port() as port:
            yield f"http://127.0.0.1:{port}", options
    elif kind.startswith("proxy"):
        reply = REPLIES["reset"] if kind == "proxy breaks" else _repeating(407, "text/plain")
        with RawServer(answering(reply)) as proxy:
            address = proxy.url.replace("://", f"://ann:{MARK}-of-a-proxy@")
            options["proxies"] = {"http": address, "https": address}
            yield "http://files.example.org", options
    else:
        with RawServer(answering(REPLIES[kind])) as server:
            yield server.url, options


#: What is waited for takes seconds.
SLOW = ("429 application/json", "silent")
KINDS = ["refused", "proxy refuses", "proxy breaks", *(kind for kind in REPLIES if kind not in SLOW)]
KINDS += [pytest.param(kind, marks=pytest.mark.slow) for kind in SLOW]  # type: ignore[misc]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("service", SERVICES)
def test_no_mark_anywhere(
    service: str, kind: str, log: Any, home: Path, tmp_path: Path, monkeypatch: Any, recwarn: Any, capfd: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with _failing(kind) as (url, options):
        errors = errors_of(*SERVICES[service](url, **options))
    assert errors
    assert [error for error in errors if not isinstance(error, SmartxferError)] == []
    shown = [*capfd.readouterr(), *(str(one.message) for one in recwarn.list)]
    check_all([MARK, BASIC, PROXY], errors, log.records, [home, tmp_path], shown)


def test_a_cancelled_upload(log: Any, home: Path, tmp_path: Path) -> None:
    """The body is under way, and the frames of the libraries are beneath ours."""
    def progress(event: Any) -> None:
        raise KeyError("of the caller")

    with RawServer(answering(status(200, b"{}", "Content-Type: application/json"))) as server:
        api = BasicClient(SECRET, OTHER, url=server.url, retry=POLICY, timeout=5.0)
        with pytest.raises(SmartxferError) as caught:
            api.upload(noise(3_000_000), "/a.bin", progress=progress, cancel=threading.Event())
    check_all([MARK, BASIC], [caught.value], log.records, [home, tmp_path])


def test_the_marks_would_be_seen(log: Any) -> None:
    """The look-out itself: what is not masked, it finds, in a frame that is not a test's, too."""
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads(f"{{{SECRET}")
    assert f"s = '{{{SECRET}'" in error_text(caught.value)


@pytest.mark.parametrize("service", SERVICES)
def test_ctrl_c_in_a_request(service: str, home: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """The frames of the libraries, in which headers and addresses are plain text, are not kept."""
    from smartxfer.transport import connection

    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(connection, "_register_socket", interrupt)
    interrupted = 0
    with _failing("reset") as (url, options):
        for step in SERVICES[service](url, **options):
            try:
                step()
            except KeyboardInterrupt as error:
                interrupted += 1
                said = captured(error)
                assert "_send_following_redirects" in said
                assert MARK not in said, said[max(0, said.find(MARK) - 300) : said.find(MARK) + 80]
                assert BASIC not in said
            except SmartxferError:
                continue
    assert interrupted
