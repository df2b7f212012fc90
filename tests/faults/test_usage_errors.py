"""Arguments are checked before anything is sent. No server listens here: any request would be a NetworkError."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest

from smartxfer.errors import DeadlineExceeded, UsageError
from smartxfer.filesender.ids import get_id
from smartxfer.jetstream import JetStream
from smartxfer.nrp import get_client
from smartxfer.nrp.models import File as RemoteFile
from smartxfer.perseus import PerseusClient
from smartxfer.smartfile import BasicClient
from smartxfer.transport import RetryPolicy

#: Port 9 discards; nothing listens there.
URL = "http://127.0.0.1:9"
ONCE = RetryPolicy(attempts=1)
NO_SECONDS = ["/b", -1, -math.inf, math.nan, [], True, b"1", -(10**400), None]


def short(value: Any) -> str:
    return f"{value!r:.20}"




@pytest.fixture(scope="module")
def clients() -> Iterator[Dict[str, Any]]:
    made: Dict[str, Any] = {
        "smartfile": BasicClient("k", "p", url=URL, retry=ONCE),
        "nrp": get_client(URL, token="t" * 30, retry=ONCE),
        "perseus": PerseusClient(URL, api_key="k" * 20, retry=ONCE),
        "jetstream": JetStream().api(URL, retry=ONCE),
    }
    yield made
    for client in made.values():
        client.close()


SECONDS: Dict[str, Callable[[Dict[str, Any], Any], Any]] = {
    "jetstream rm": lambda to, bad: to["jetstream"].rm("/a", bad),
    "jetstream mkdir": lambda to, bad: to["jetstream"].mkdir("/a", bad),
    "jetstream mkfile": lambda to, bad: to["jetstream"].mkfile("/a", bad),
    "jetstream mv": lambda to, bad: to["jetstream"].mv("/a", "/b", bad),
    "jetstream ls": lambda to, bad: to["jetstream"].ls("/a", bad),
    "jetstream ls_roots": lambda to, bad: to["jetstream"].ls_roots(bad),
    "jetstream du": lambda to, bad: to["jetstream"].du("/a", bad),
    "jetstream sources": lambda to, bad: to["jetstream"].sources(bad),
    "jetstream receiving": lambda to, bad: to["jetstream"].receiving(bad),
    "jetstream send_files": lambda to, bad: to["jetstream"].send_files("/a", "h", timeout=bad),
    "jetstream share": lambda to, bad: to["jetstream"].share("/a", timeout=bad),
    "jetstream wait_all": lambda to, bad: to["jetstream"].wait_all([], timeout=bad),
    "jetstream waitForTransfer": lambda to, bad: to["jetstream"].send.waitForTransfer("1", timeout=bad),
    "jetstream getRequestResult": lambda to, bad: to["jetstream"].server.getRequestResult(1, timeout=bad),
    "smartfile remove": lambda to, bad: to["smartfile"].remove("/a", timeout=bad),
    "smartfile move": lambda to, bad: to["smartfile"].move("/a", "/b", timeout=bad),
    "smartfile move_into": lambda to, bad: to["smartfile"].move_into("/a", "/b", timeout=bad),
    "smartfile copy": lambda to, bad: to["smartfile"].copy("/a", "/b", timeout=bad),
    "smartfile checksum": lambda to, bad: to["smartfile"].checksum("/a", timeout=bad),
    "smartfile wait": lambda to, bad: to["smartfile"].wait("u" * 36, bad),
    "perseus upload_file": lambda to, bad: to["perseus"].file.upload_file(("a", b"1"), wait=True, timeout=bad),
    "perseus upload_many": lambda to, bad: to["perseus"].file.upload_many([("a", b"1")], timeout=bad),
    "perseus grace": lambda to, bad: to["perseus"].file.upload_file(("a", b"1"), grace=bad),
    "perseus wait": lambda to, bad: to["perseus"].file.wait_for_file_upload("i", timeout=bad),
    "perseus waits": lambda to, bad: to["perseus"].file.wait_for_file_uploads(["i"], timeout=bad),
    "perseus interval": lambda to, bad: to["perseus"].file.wait_for_file_upload("i", bad),
}


@pytest.mark.parametrize("bad", NO_SECONDS, ids=short)
@pytest.mark.parametrize("call", SECONDS)
def test_seconds_are_checked_before_anything_is_sent(clients: Dict[str, Any], call: str, bad: Any) -> None:
    """Regression: ``rm("/a", "/b")``, which removed ``/a`` and then rejected "/b" as a time-out."""
    if bad is None and call.startswith("jetstream"):
        return
    with pytest.raises(UsageError, match="number of seconds"):
        SECONDS[call](clients, bad)


TOKENS: Dict[str, Any] = {
    "limit": [0, -1, math.inf, "3", True, {1}],
    "password": [5, b"secret", {1}, ["a"]],
    "description": [5, b"text", {1}],
    "expires": [math.nan, "soon", dt.date(2030, 1, 1)],
}


@pytest.mark.parametrize(("name", "bad"), [(name, bad) for name in TOKENS for bad in TOKENS[name]], ids=short)
def test_a_shared_token_is_checked_before_its_manifest_is_made(
    clients: Dict[str, Any], name: str, bad: Any
) -> None:
    """Fails if a manifest is left on the server."""
    with pytest.raises(UsageError):
        clients["jetstream"].share("/a", **{name: bad})


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan, 10**400, 0, 0.4, -1, "soon", dt.timedelta(0)], ids=short)
def test_a_link_that_would_end_never_or_before_it_began(clients: Dict[str, Any], bad: Any) -> None:
    with pytest.raises(UsageError, match="expires"):
        clients["smartfile"].create_link("/a", expires=bad)


@pytest.mark.parametrize("bad", [math.inf, math.nan, "x", None, {1}], ids=short)
def test_an_id_is_a_number(bad: Any) -> None:
    with pytest.raises(UsageError, match="is not an id"):
        get_id(bad)


UNDER_DEADLINE: Dict[str, Callable[[Dict[str, Any], Path, Any], Any]] = {
    "smartfile": lambda to, path, bad: to["smartfile"].upload(("a", b"1"), deadline=bad),
    "smartfile tree": lambda to, path, bad: to["smartfile"].download_tree("/", path, deadline=bad),
    "nrp": lambda to, path, bad: to["nrp"].files.download_many([remote()], path, deadline=bad),
    "perseus": lambda to, path, bad: to["perseus"].file.upload_file(("a", b"1"), deadline=bad),
    "jetstream": lambda to, path, bad: to["jetstream"].send_files("/a", "h", deadline=bad),
}


def remote() -> RemoteFile:
    links = {"self": f"{URL}/api/records/1/files/a", "content": f"{URL}/api/records/1/files/a/content"}
    return RemoteFile.from_wire({"key": "a", "status": "completed", "size": 3, "links": links})


@pytest.mark.parametrize("bad", [math.nan, "soon", b"1", True, [], 1j], ids=short)
@pytest.mark.parametrize("call", UNDER_DEADLINE)
def test_a_deadline_is_a_number(clients: Dict[str, Any], tmp_path: Path, call: str, bad: Any) -> None:
    """Detect NaN, which no moment is later than: the deadline was ignored."""
    with pytest.raises(UsageError, match="deadline must be a number of seconds"):
        UNDER_DEADLINE[call](clients, tmp_path, bad)


@pytest.mark.parametrize("past", [-5, -math.inf, -(10**400), 0])
def test_a_deadline_in_the_past_is_over_at_once(clients: Dict[str, Any], tmp_path: Path, past: Any) -> None:
    with pytest.raises(DeadlineExceeded):
        clients["perseus"].file.upload_file(("a", b"1"), deadline=past)


OPTIONS: Dict[str, Any] = {
    "timeout": [0, -1, math.nan, "x", (1, 2, 3), (1, math.nan), None, b"1"],
    "max_workers": [0, -1, math.nan, math.inf, 1.5, "4", True, None],
}


@pytest.mark.parametrize(("name", "bad"), [(name, bad) for name in OPTIONS for bad in OPTIONS[name]], ids=short)
def test_a_client_has_positive_numbers(name: str, bad: Any) -> None:
    with pytest.raises(UsageError, match=name):
        BasicClient("k", "p", url=URL, **{name: bad})


@pytest.mark.parametrize("name", ["attempts", "backoff", "backoff_cap", "retry_after_cap", "budget", "limit_budget",
                                  "stall_speed", "stall_window"])
@pytest.mark.parametrize("bad", [-1, math.nan, "x", None], ids=short)
def test_a_policy_is_of_numbers(name: str, bad: Any) -> None:
    with pytest.raises(UsageError, match=name):
        RetryPolicy(**{name: bad})
