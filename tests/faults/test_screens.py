"""A server's texts in errors, logs, bars and reprs: nothing that a terminal would obey; values stay exact."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, Dict

import pytest

from smartxfer.errors import SmartxferError, TaskFailed
from smartxfer.jetstream import JetStream
from smartxfer.jetstream.models import Manifest
from smartxfer.nrp.models import File as RepositoryFile
from smartxfer.perseus import File as PerseusFile
from tests.faults.test_all_secrets import POLICY, SERVICES
from tests.support.raw_server import Peer, RawServer, Request, answering
from tests.support.secret_scan import chain, errors_of

#: Ends its line, goes back to its beginning, and says what a user would like to read.
TEXT = "no\r\x1b[2K\n all 7 files verified\u202e gpj\u2066\u200f\u061c\x9b1m\u2028\u200b\U000e0041" + "\u0301" * 50


def _answer(code: int, kind: str) -> Any:
    members = ("message", "detail", "error", "errors", "error_message", "uid", "status", "title", "name", "id")
    body = json.dumps(dict.fromkeys(members, TEXT)) if kind == "application/json" else TEXT
    if kind == "text/xml":
        body = f"<Error><Code>{TEXT}</Code><Message>{TEXT}</Message><RequestId>{TEXT}</RequestId></Error>"

    def reply(request: Request, peer: Peer) -> None:
        said = body
        with contextlib.suppress(ValueError):  # JetStream answers a call by its id
            call = json.loads(request.body or b"null")
            if isinstance(call, dict) and "jsonrpc" in call and kind == "application/json":
                error = {"code": -32002, "message": TEXT, "data": {"type": TEXT}}
                said = json.dumps({"jsonrpc": "2.0", "id": call["id"], "error": error})
        peer.answer(code, said.encode("utf-8", "surrogatepass"), f"Content-Type: {kind}", "Server: a\x1bb")

    return reply


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, "application/json"), (403, "application/json"), (404, "text/plain"), (409, "application/json"),
        (500, "text/xml"), (403, "text/xml"), (200, "application/json"), (200, "text/plain"), (200, "te\x1bxt/\x9bx"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("service", SERVICES)
def test_what_a_server_says(
    service: str, code: int, kind: str, log: Any, home: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    """Fails if a text of the server goes into a message, a hint or a log line as it came."""
    monkeypatch.chdir(tmp_path)
    with RawServer(answering(_answer(code, kind))) as server:
        errors = errors_of(*SERVICES[service](server.url, retry=POLICY, timeout=2.0, proxies={}))
    assert errors
    assert [error for error in errors if not isinstance(error, SmartxferError)] == []
    for error in errors:
        for link in chain(error):
            _check(str(link), str(getattr(link, "summary", "")))
            assert repr(link).isprintable()
    _check(*(record.getMessage() for record in log.records if record.name.startswith("smartxfer")))


def _check(*shown: str) -> None:
    for text in shown:
        assert text.isprintable(), repr(text)
        assert "\u0301" * 10 not in text
        assert len(text) < 5000


@pytest.mark.parametrize(
    "thing",
    [
        PerseusFile.from_wire({"id": TEXT, "name": TEXT, "status": TEXT}),
        RepositoryFile.from_wire({"key": TEXT, "status": TEXT, "links": {}}),
        Manifest.from_wire({"manifestId": TEXT, "status": TEXT, "processing": False, "errorMessage": TEXT}),
    ],
)
def test_a_structure_shows_its_values_masked_and_keeps_them(thing: Any) -> None:
    assert repr(thing).isprintable()
    assert str(thing).isprintable()
    assert TEXT in dict(thing).values()


def test_a_failed_task(log: Any) -> None:
    """The server's reason: masked in the message, exact where a program reads it."""
    task = {"manifestId": "1", "status": "error", "processing": False, "errorMessage": TEXT}

    def reply(request: Request, peer: Peer) -> None:
        call: Dict[str, Any] = json.loads(request.body or b"{}")
        found = {"getServerInfo": {"authRequired": False, "serverName": TEXT, "version": TEXT}}
        said = {"jsonrpc": "2.0", "id": call.get("id"), "result": found.get(call.get("method", ""), task)}
        cookie = "Set-Cookie: JSSESSION=s"
        peer.answer(200, json.dumps(said).encode(), "Content-Type: application/json", cookie)

    with RawServer(answering(reply)) as server, JetStream().api(server.url, proxies={}) as api:
        with pytest.raises(TaskFailed) as caught:
            api.share(["/a"])
    _check(str(caught.value), *(record.getMessage() for record in log.records if "smartxfer" in record.name))
    assert caught.value.task.error_message == TEXT
