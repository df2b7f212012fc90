"""Connections that cannot be made, or break in the middle: F01 to F03."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple

import pytest

from smartxfer import BasicClient, FileSenderClient, PerseusClient
from smartxfer.errors import NetworkError
from smartxfer.jetstream import JetStream
from smartxfer.local import LocalServer
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import CHUNK_SIZE, INFO, digest, noise, waits
from tests.support.raw_server import refused_port
from tests.support.service_harness import Polling
from tests.support.uploads import Uploads

DATA = noise(5 * CHUNK_SIZE)
MIB = 1024 * 1024


class Call(NamedTuple):
    """A call of a service whose server is not there at first.

    :param site: options of the local server.
    :param request: the first request, which is refused.
    :param done: whether the call has done its work: (server, result).
    """

    client: Callable[[str, Any, RetryPolicy], Any]
    site: Dict[str, Any]
    request: str
    call: Callable[[Any], Any]
    done: Callable[[Any, Any], bool]


KEY = "sk-of-this-module"


def _smartfile(request: str, call: Callable[[Any], Any], done: Callable[[Any, Any], bool]) -> Call:
    return Call(
        lambda url, clock, retry: BasicClient("key", "password", url=url, clock=clock, retry=retry),
        {"api_key": "key", "password": "password"},
        f"POST {{}}/api/2/path/{request}/",
        call,
        done,
    )


CALLS: Dict[str, Call] = {
    "filesender": Call(
        lambda url, clock, retry: FileSenderClient(url, clock=clock, retry=retry),
        {},
        "GET {}/rest.php/info",
        lambda api: api.get_server_info(),
        lambda site, info: info["name"] == "FileSender" and site.count(INFO) == 1,
    ),
    # A POST too is repeated where nothing of it was sent.
    "smartfile": _smartfile(
        "data", lambda api: api.upload(("a", b"1")), lambda site, result: site.read("/a") == b"1"
    ),
    "smartfile-mkdir": _smartfile(
        "oper/mkdir", lambda api: api.mkdir("/d"), lambda site, result: site.directories() == ["/d"]
    ),
    "smartfile-raw": _smartfile(
        "oper/mkdir",
        lambda api: api.post("/path/oper/mkdir/", path="/d"),
        lambda site, result: site.directories() == ["/d"],
    ),
    "perseus": Call(
        lambda url, clock, retry: PerseusClient(url, api_key=KEY, clock=clock, retry=retry),
        {"api_key": KEY},
        "POST {}/api/v0/file/find",
        lambda api: api.file.upload_file(("a.bin", DATA)),
        lambda site, file: site.content(file.id) == DATA,
    ),
    "jetstream": Call(
        lambda url, clock, retry: JetStream().api(url, clock=clock, retry=retry),
        {"auth_required": False},
        "POST {}/jsonrpc",
        lambda api: api.send.getTransfers(),
        lambda site, found: found == [] and site.count("POST /jsonrpc/getServerInfo") == 1,
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_f01_refused_then_up(name: str, log: Any) -> None:
    """Detect an error at the first refusal."""
    with refused_port() as port:
        pass
    call, service = CALLS[name], name.partition("-")[0]
    servers: List[LocalServer] = []
    site = {"port": port, **call.site}
    clock = Polling(wait2=lambda: servers.append(LocalServer(services=[service], **{service: site}).start()))
    clock.chance = 1.0
    policy = RetryPolicy()
    with call.client(f"http://127.0.0.1:{port}", clock, policy) as client:
        try:
            result = call.call(client)
            assert call.done(getattr(servers[0], service), result)
        finally:
            for server in servers:
                server.stop()
    assert clock.waits == [0.5, 1.0]
    assert max(clock.waits) <= policy.backoff_cap
    assert len(waits(log.records)) == 2


@pytest.mark.parametrize("name", CALLS)
def test_f01_refused_for_good(name: str) -> None:
    clock = Polling()
    with refused_port() as port:
        url = f"http://127.0.0.1:{port}"
        with pytest.raises(NetworkError, match=CALLS[name].request.format(url)):
            with CALLS[name].client(url, clock, RetryPolicy()) as client:
                CALLS[name].call(client)
    assert len(clock.waits) == 5


def _chunk_requests(harness: Any) -> List[int]:
    return [harness.site.count(f"PUT /rest.php/file/*/chunk/{at}") for at in range(0, len(DATA), CHUNK_SIZE)]


def test_f02_reset_before_an_answer_once(harness: Any) -> None:
    fault = harness.fault(f"PUT /rest.php/file/*/chunk/{CHUNK_SIZE}", "reset-before")
    transfer = harness.client().upload_workflow([harness.file(DATA)], link=True)
    assert fault.fired == 1
    assert digest(harness.stored()["a.bin"]) == digest(DATA)
    assert _chunk_requests(harness) == [1, 2, 1, 1, 1]
    assert transfer.results[0].retries == 1
    assert harness.status == "available"


@pytest.mark.parametrize("uploads", ["filesender", "smartfile", "nrp", "perseus"], indirect=True)
def test_f02_always_reset(uploads: Uploads) -> None:
    """Detect tries without end, an error that shows a signature, or a record that stays."""
    fault = uploads.harness.fault(uploads.content, "reset-before", times=None)
    origin = uploads.harness.site.storage_url if uploads.service == "perseus" else uploads.harness.url
    prefix = uploads.content.replace(" ", f" {origin}").replace("/storage/*", "/perseus-files/file/").partition("*")[0]
    with pytest.raises(NetworkError, match=prefix) as caught:
        uploads.send(uploads.harness.file(DATA), uploads.one_at_a_time)
    assert "X-Amz" not in str(caught.value)
    assert fault.fired == 6
    assert uploads.complete() == {}


@pytest.mark.parametrize("concurrent_chunks", [1, 3])
def test_f03_reset_in_mid_chunk(make_harness: Any, concurrent_chunks: int) -> None:
    harness = make_harness(upload_chunk_size=5 * MIB)
    data = noise(12 * MIB + 1)
    fault = harness.fault(f"PUT /rest.php/file/*/chunk/{5 * MIB}", "reset-after 256K", times=2)
    seen: List[Any] = []
    client = harness.client(concurrent_chunks=concurrent_chunks)
    transfer = client.upload_workflow([harness.file(data)], link=True, progress=seen.append)
    assert fault.fired == 2
    assert digest(harness.stored()["a.bin"]) == digest(data)
    assert harness.site.count(f"PUT /rest.php/file/*/chunk/{5 * MIB}", status=200) == 1
    steps = [event.done for event in seen]
    assert max(steps) == len(data), "no more than all of it, ever"
    assert steps[-1] == len(data)
    assert any(after < before for before, after in zip(steps, steps[1:])), "the chunk was taken back"
    assert transfer.results[0].retries == 2
