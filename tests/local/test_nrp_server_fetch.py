"""The local repository: files that it fetches, and files that stay remote (NRP protocol, section 6)."""

import hashlib
import threading
from typing import Any, Iterator

import pytest

from smartxfer.local import LocalServer
from tests.support.local.file_origin import BLOB, PAGE, Origin
from tests.support.local.nrp_file_calls import Draft, until


@pytest.fixture(scope="module")
def running(origin: Origin) -> Iterator[LocalServer]:
    options = {"rate_limit": 0, "fetch_hosts": [origin.host], "remote_hosts": [origin.host, "far.example"]}
    with LocalServer(services=["nrp"], nrp=options) as server:
        yield server
        assert server.nrp.listener.crashes == []


@pytest.fixture
def draft(service: Any) -> Draft:
    """Return a draft as seen by a superuser."""
    return Draft(service, token=service.superuser_token)


def settled(draft: Draft, key: str) -> Any:
    return until(lambda: draft.entry(key), lambda seen: seen["status"] != "pending")


def fetch(draft: Draft, key: str, url: str, **values: Any) -> Any:
    return draft.started(key, transfer={"type": "F", "url": url}, **values)


def test_a_fetched_file(draft: Draft, origin: Origin) -> None:
    entry = fetch(draft, "f.bin", origin.url + "/blob.bin")
    assert (entry["transfer"], entry["status"]) == ({"type": "F"}, "pending")
    assert origin.url not in str(entry)
    entry = settled(draft, "f.bin")
    assert (entry["transfer"], entry["status"], entry["metadata"]) == ({"type": "L"}, "completed", {})
    assert (entry["size"], entry["checksum"]) == (len(BLOB), "md5:" + hashlib.md5(BLOB).hexdigest())
    assert draft.get("f.bin").body == BLOB
    assert draft.commit("f.bin").status == 200


def test_the_server_notes_what_an_archive_is(draft: Draft, origin: Origin) -> None:
    fetch(draft, "a.zip", origin.url + "/blob.bin", metadata={"mine": 1})
    assert settled(draft, "a.zip")["metadata"] == {"mine": 1, "error": "File is not a zip file"}


def test_a_fetch_that_fails(service: Any, draft: Draft, origin: Origin) -> None:
    fetch(draft, "page", origin.url + "/nope")
    entry = settled(draft, "page")
    assert (entry["status"], entry["transfer"]) == ("failed", {"type": "F", "error": PAGE.decode()})
    assert "size" not in entry
    assert draft.get("page").status == 500
    assert draft.commit("page").status == 500
    for key, path in (("short", "/short.bin"), ("moved", "/moved")):
        fetch(draft, key, origin.url + path)
        entry = settled(draft, key)
        assert entry["status"] == "failed"
        assert entry["transfer"]["error"]
    service.configure(max_file_size=1000)
    fetch(draft, "large", origin.url + "/blob.bin")
    assert settled(draft, "large")["transfer"]["error"] == "Maximum file size exceeded."
    # A second attempt is not possible: delete the file and start again.
    service.configure(max_file_size=0)
    assert draft.call("DELETE", "/large").status == 204
    fetch(draft, "large", origin.url + "/blob.bin")
    assert settled(draft, "large")["status"] == "completed"


def test_a_host_that_does_not_answer(draft: Draft, service: Any, origin: Origin) -> None:
    # The host is allowed, but the server has stopped.
    gone = Origin()
    gone.server_close()
    service.configure(fetch_hosts=[origin.host, gone.host])
    fetch(draft, "gone", gone.url + "/x")
    assert settled(draft, "gone")["status"] == "failed"


def test_a_pending_fetch(service: Any, draft: Draft, origin: Origin) -> None:
    service.configure(fetch_delay=30.0)
    fetch(draft, "later", origin.url + "/later")
    assert draft.entry("later")["status"] == "pending"
    assert draft.commit("later").status == 500
    assert draft.get("later").status == 500
    assert draft.call("DELETE", "/later").status == 204
    assert "/later" not in origin.seen


def test_a_fetch_outlives_a_restart(tmp_path: Any, origin: Origin) -> None:
    options = {"fetch_hosts": [origin.host]}
    threads = set(threading.enumerate())
    origin.go.clear()
    with LocalServer(tmp_path / "data", services=["nrp"], nrp=options) as server:
        draft = Draft(server.nrp, token=server.nrp.superuser_token)
        fetch(draft, "slow", origin.url + "/slow.bin")
        assert origin.begun.wait(10)
    origin.go.set()
    with LocalServer(tmp_path / "data", services=["nrp"], nrp=options) as server:
        again = Draft(server.nrp, draft.id, draft.token)
        assert settled(again, "slow")["status"] == "completed"
        assert again.get("slow").body == BLOB
    left = set(threading.enumerate()) - threads
    assert [thread.name for thread in left if thread.name.startswith("local-")] == []


@pytest.mark.parametrize(
    ("kind", "url", "message"),
    [
        *(("F", url, "Not a valid URL.") for url in ("not a url", 5, "file:///etc/passwd", "http://[::1")),
        ("F", "http://far.example/x", "Domain not allowed"), ("F", "http://far.example:80/x", "Domain not allowed"),
        ("R", "https://ann@far.example/x", "Domain not allowed"),
    ],
)  # fmt: skip
def test_urls_that_are_not_allowed(draft: Draft, kind: str, url: Any, message: str) -> None:
    reply = draft.start({"key": "x", "transfer": {"type": kind, "url": url}})
    errors = [{"field": "0.transfer.url", "messages": [message]}]
    assert (reply.status, reply.json()["errors"]) == (400, errors)
    assert draft.keys() == []
