"""Success is an answer of 200 in JSON about what was asked: sections 9.1 to 9.3 of the protocol page."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Callable, Dict, List

import pytest

from smartxfer.errors import AuthError, DecodeError, SmartxferError, UnexpectedResponse, WaitTimeout
from smartxfer.jetstream import API, JetStream
from tests.support import jetstream_harness as js
from tests.support.jetstream_harness import AT_ONCE, JetStreamHarness, on
from tests.support.raw_server import Peer, RawServer, Request, answering

JSON = "Content-Type: application/json"
CREATE = on("send.createTransfer")
SHARED = partial(JetStreamHarness, files={"/a.bin": b"some data"})


def _answering(status: int, body: bytes, *headers: str, ending: int = 204) -> RawServer:
    """A server that answers getServerInfo as documented, and every other call in the given way.

    :param ending: the status of the answer to the end of a session.
    """

    def reply(request: Request, peer: Peer) -> None:
        if request.method == "DELETE":
            peer.answer(ending, b"<html></html>" if ending != 204 else b"", "Content-Type: text/html")
            return
        call = json.loads(request.body)
        if call["method"] == "getServerInfo":
            good = {"jsonrpc": "2.0", "id": call["id"], "result": {"authRequired": False}}
            peer.answer(200, json.dumps(good).encode(), JSON, "Set-Cookie: JSSESSION=one; Path=/")
        else:
            peer.answer(status, body.replace(b"THE-ID", call["id"].encode()), *headers)

    return RawServer(answering(reply))


GOOD = b'{"jsonrpc": "2.0", "id": "THE-ID", "result": {"manifestId": "1", "transferId": "1"}}'
#: Answers that are not documented for a call, though a proxy or another server may give them.
OTHERS: Dict[str, Any] = {
    "201": (201, GOOD, JSON),
    "202": (202, GOOD, JSON),
    "203": (203, GOOD, JSON),
    "204": (204, b""),
    "206": (206, GOOD, JSON),
    "299": (299, GOOD, JSON),
    "301 without a place": (301, GOOD, JSON),
    "304": (304, b""),
    "no body": (200, b"", JSON),
    "a page": (200, b"<html>log in here</html>", "Content-Type: text/html"),
    "a page with the answer in it": (200, GOOD, "Content-Type: text/html; charset=utf-8"),
    "no type": (200, GOOD),
    "an error document": (200, b"<Error><Code>AccessDenied</Code></Error>", "Content-Type: application/xml"),
    "JSON that is not a response": (200, b'{"status": "ok"}', JSON),
    "an older version": (200, GOOD.replace(b'"2.0"', b'"1.0"'), JSON),
}
CALLS: Dict[str, Callable[[API], Any]] = {
    "getTransfer": lambda api: api.send.getTransfer("1"),
    "waitForManifest": lambda api: api.send.waitForManifest("1", timeout=5),
    "createManifest": lambda api: api.send.createManifest({"/a": "/b"}),
    "createTransfer": lambda api: api.send.createTransfer("1", "1"),
    "resumeTransfer": lambda api: api.send.resumeTransfer("1"),
    "deleteTransfer": lambda api: api.send.deleteTransfer("1"),
    "auth": lambda api: api.server.auth("ann", "secret"),
    "superuser": lambda api: api.server.superuser(),
    "rmAsync": lambda api: api.server.rmAsync("/a"),
    "raw": lambda api: api.call("send.deleteManifest", manifestId="1"),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("other", OTHERS)
def test_another_response_is_not_a_success(other: str, name: str) -> None:
    """Fails if any 2xx is a success, or a 3xx without a Location, or if the body is not checked."""
    with _answering(*OTHERS[other]) as server, JetStream().api(server.url, retry=AT_ONCE) as api:
        with pytest.raises(DecodeError):
            CALLS[name](api)
        assert api._session_state.get_login_call() is None, "a login that was not granted is not remembered"


def test_the_documented_answer_is() -> None:
    """A second witness: the answer is the one that section 9.1 shows, byte by byte."""
    shown = (
        b'{"jsonrpc":"2.0","id":"THE-ID","result":{"manifestId":"2","status":"pending","processing":true,\n'
        b' "totalFiles":null,"totalSize":null,"errorMessage":null,"owner":"ann","userData":{}}}'
    )
    for kind in (JSON, "Content-Type: application/json; charset=utf-8", "Content-Type: Application/JSON"):
        with _answering(200, shown, kind) as server, JetStream().api(server.url) as api:
            made = api.send.createManifest({"/in/a.txt": "/out/a.txt"})
            assert (made.manifest_id, made.processing, made.owner) == ("2", True, "ann")


@pytest.mark.parametrize("status", [200, 202, 302, 500])
def test_a_session_that_does_not_end_as_documented(status: int) -> None:
    """Logging out is never an error, and the cookie is always dropped."""
    with _answering(200, b"", ending=status) as server:
        api = JetStream().api(server.url)
        api.connect()
        api.disconnect()
        api.connect()
        assert "cookie" not in server.requests[-1].headers
        api.close()


# -- nothing is noted as done, and what may exist is looked for -------------------------------------------


@pytest.mark.parametrize("effect", ["status 202", "status 204", "status 304", "status 200 body=html", "status 500"])
def test_a_transfer_whose_creation_was_not_confirmed(harness: JetStreamHarness, effect: str) -> None:
    """The next call finds nothing and sends; the manifest of the first is not taken away as if refused."""
    api = harness.client()
    fault = harness.fault(CREATE, effect)
    before = harness.held("transfers"), harness.held("manifests")
    with pytest.raises(SmartxferError) as caught:
        api.send_files(["/a.bin"], harness.to, timeout=30)
    assert isinstance(caught.value, UnexpectedResponse) or effect == "status 500"
    assert (harness.held("transfers"), len(harness.held("manifests"))) == (before[0], len(before[1]) + 1)
    done = api.send_files(["/a.bin"], harness.to, timeout=30)
    assert (fault.fired, done.status) == (1, "complete")
    assert len(harness.held("transfers")) == len(before[0]) + 1


def test_a_transfer_that_was_made_behind_a_page(harness: JetStreamHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy answers in the server's place although the call arrived: the next call waits for that transfer."""
    api = harness.client()
    known = len(harness.held("transfers"))
    harness.site.configure(rate=1)
    real, seen = api._http.request_once, []  # type: ignore[var-annotated]

    def behind_a_proxy(call: Any) -> Any:
        answer = real(call)
        if b"createTransfer" in (call.body or b"") and not seen:
            seen.append(call)
            raise UnexpectedResponse("a page where an answer was expected", status=200)
        return answer

    monkeypatch.setattr(api._http, "request_once", behind_a_proxy)
    with pytest.raises(UnexpectedResponse):
        api.send_files(["/a.bin"], harness.to, timeout=30)
    [made] = harness.held("transfers")[known:]
    with pytest.raises(WaitTimeout) as late:
        api.send_files(["/a.bin"], harness.to, timeout=0.5)
    assert late.value.last.transfer_id == str(made)
    assert harness.held("transfers")[known:] == [made]
    harness.site.configure(rate=0)


def test_a_refusal_of_the_server_takes_the_manifest_away() -> None:
    received: List[js.ReceivedCall] = []
    with js.lying_api({**js.SEND_FILES, "send.createTransfer": [js.refusal("PermissionDenied")]}, received) as api:
        with pytest.raises(AuthError):
            api.send_files(["/a.bin"], "127.0.0.1:9")
    assert "send.deleteManifest" in [one.method for one in received]
