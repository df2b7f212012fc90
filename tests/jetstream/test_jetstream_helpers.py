"""``send_files``, ``share``, ``from_uri``, ``wait_all``: the work of several calls in one."""

from __future__ import annotations

import datetime as dt
import os
from typing import Any, List

import pytest

from smartxfer import BasicClient
from smartxfer.errors import (
    AuthError,
    Conflict,
    NotFound,
    OutcomeUnknown,
    TaskFailed,
    UsageError,
    WaitTimeout,
)
from smartxfer.jetstream import API, JetStream, Manifest, Share, Status
from smartxfer.transfer import ProgressEvent
from tests.support.jetstream_servers import BOUND, JetStreamServers


def there(harness: JetStreamServers) -> Any:
    """The far server as ``to``."""
    return (harness.far.host, harness.far.port)


class TestSendFiles:
    def test_folders_and_pairs(self, harness: JetStreamServers, api: API) -> None:
        harness.near.write("/docs/a.txt", b"a")
        harness.near.write("/docs/deep/b.txt", b"bb")
        harness.near.write("/one.txt", b"1")
        harness.near.write("/two.txt", b"22")
        done = api.send_files(
            ["/docs", ("/one.txt", "/elsewhere/1"), ("/two.txt", "renamed")],
            there(harness),
            into="/in",
            timeout=BOUND,
        )
        assert done.total_bytes == 6
        assert harness.far.files() == {
            "/elsewhere/1": 1,
            "/in/docs/a.txt": 1,
            "/in/docs/deep/b.txt": 2,
            "/in/renamed": 2,
        }

    def test_nothing_but_an_empty_file(self, harness: JetStreamServers, api: API) -> None:
        harness.near.write("/empty")
        assert api.send_files("/empty", there(harness), timeout=BOUND).fraction == 1.0
        assert harness.far.files() == {"/empty": 0}

    def test_the_progress_ends_at_the_whole(self, harness: JetStreamServers, api: API) -> None:
        events: List[ProgressEvent] = []
        harness.near.write("/a.bin", os.urandom(100_000))
        harness.near.configure(rate=1_000_000)
        api.send_files("/a.bin", there(harness), timeout=BOUND, progress=events.append)
        assert events[-1].done == events[-1].total == 100_000
        counts = [event.done for event in events]
        assert counts == sorted(counts)

    def test_a_manifest_that_fails_is_cleared_away(self, harness: JetStreamServers, api: API) -> None:
        before = len(api.send.getManifests())
        with pytest.raises(TaskFailed, match="/missing") as raised:
            api.send_files(["/missing"], there(harness), timeout=BOUND)
        assert isinstance(raised.value.task, Manifest)
        assert raised.value.task.status == Status.ERROR
        assert len(api.send.getManifests()) == before
        assert "send.createTransfer" not in harness.calls

    def test_a_transfer_that_fails(self, harness: JetStreamServers, api: API) -> None:
        harness.near.write("/a.txt", b"a")
        before = len(api.send.getManifests())
        with pytest.raises(TaskFailed) as raised:
            api.send_files([("/a.txt", "/../a.txt")], there(harness), timeout=BOUND)
        assert raised.value.task["status"] == "error"
        assert harness.far.files() == {}
        assert len(api.send.getManifests()) == before

    def test_a_time_out_leaves_it_going_on_and_the_next_call_takes_it_up(
        self, harness: JetStreamServers, api: API
    ) -> None:
        harness.near.write("/big", os.urandom(1 << 20))
        harness.near.configure(rate=50_000)
        with pytest.raises(WaitTimeout) as raised:
            api.send_files("/big", there(harness), timeout=0.1)
        first = raised.value.last
        assert (first.processing, first.total_bytes) == (True, 1 << 20)
        full: Any = lambda event: harness.near.configure(rate=0)  # noqa: E731 - once it was taken up
        done = api.send_files("/big", there(harness), timeout=BOUND, progress=full)
        assert done.transfer_id == first.transfer_id
        assert harness.calls.count("send.createTransfer") == 1
        assert harness.far.read("/big") == harness.near.read("/big")
        later = api.send_files("/big", there(harness), timeout=BOUND)
        assert later.transfer_id != first.transfer_id

    def test_it_is_looked_for_though_an_older_one_is_remembered(self, harness: JetStreamServers, api: API) -> None:
        """Detect the note of a transfer that is over, which hides that of the one after it."""
        harness.near.write("/big", os.urandom(500_000))
        harness.near.configure(rate=50_000)
        with pytest.raises(WaitTimeout) as raised:
            api.send_files("/big", there(harness), timeout=0.1)
        harness.near.configure(rate=0)
        older = api.send.waitForTransfer(raised.value.last, timeout=BOUND)
        assert older.status == Status.COMPLETE
        harness.near.configure(rate=50_000)
        lost = harness.server.fault("jetstream", "POST /jsonrpc/send.createTransfer", "lose-answer", times=2)
        with pytest.raises(OutcomeUnknown):
            api.send_files("/big", there(harness), timeout=BOUND)
        assert lost.fired == 2
        [made] = {one.transfer_id for one in api.send.getTransfers() if one.processing}
        full: Any = lambda event: harness.near.configure(rate=0)  # noqa: E731 - once it was taken up
        assert api.send_files("/big", there(harness), timeout=BOUND, progress=full).transfer_id == made


class TestShare:
    def test_a_token_and_its_link(self, harness: JetStreamServers, api: API) -> None:
        harness.near.write("/docs/a.txt", b"aaa")
        shared = api.share(
            "/docs", expires=dt.timedelta(days=1), limit=2, password="open-sesame", description="d"
        )
        assert isinstance(shared, Share)
        token, link = shared
        assert link == f"jetstream://127.0.0.1:{harness.near.port}/download?token={token.token}"
        assert (token.download_limit, token.password_required, token.description) == (2, True, "d")
        assert api.send.getManifestFiles(token) == {"/docs/a.txt": "/docs/a.txt"}

        guest = JetStream.from_uri(link, password="open-sesame")
        [manifest] = guest.send.getManifests()
        transfer = guest.send.createTransfer(harness.destination(guest), manifest)
        assert guest.send.waitForTransfer(transfer, timeout=BOUND).status == Status.COMPLETE
        assert harness.far.files() == {"/docs/a.txt": 3}
        guest.close()

    def test_without_limits(self, harness: JetStreamServers, api: API) -> None:
        harness.near.write("/a.txt", b"a")
        token = api.share(["/a.txt"]).token
        assert (token.expiry_time, token.download_limit, token.password_required) == (None, None, False)

    def test_a_token_that_is_refused_leaves_no_manifest(self, harness: JetStreamServers, api: API) -> None:
        harness.near.write("/a.txt", b"a")
        harness.near.configure(allow_shared_tokens=False)
        before = len(api.send.getManifests())
        with pytest.raises(AuthError):
            api.share("/a.txt")
        assert len(api.send.getManifests()) == before

    def test_a_time_without_a_zone_is_refused_before_anything_is_made(self, harness: JetStreamServers, api: API) -> None:
        with pytest.raises(UsageError, match="time zone"):
            api.share("/a.txt", expires=dt.datetime(2030, 1, 1))  # noqa: DTZ001 - the mistake
        assert "send.createManifest" not in harness.calls


class TestFromUri:
    def test_a_wrong_password_closes_what_was_opened(self, harness: JetStreamServers, api: API) -> None:
        harness.near.write("/a.txt", b"a")
        link = api.share("/a.txt", password="open-sesame").link
        sessions = len(harness.near.sessions.all())
        with pytest.raises(AuthError):
            API.from_uri(link, password="open-barley")
        assert len(harness.near.sessions.all()) == sessions

    def test_connect_says_nothing_yet(self, harness: JetStreamServers) -> None:
        api = JetStream.from_uri(f"jetstream://127.0.0.1:{harness.near.port}/connect")
        assert (api.base_url, harness.calls) == (harness.near.url, [])

    def test_login_token_takes_text_and_structures(self, harness: JetStreamServers, api: API) -> None:
        token = api.send.createSharedToken(harness.manifest(api))
        for form in (token, token.token):
            guest = harness.anonymous()
            guest.login_token(form)
            assert len(guest.send.getManifests()) == 1


class TestWaitAll:
    def test_results_in_the_given_order(self, harness: JetStreamServers, api: API) -> None:
        harness.near.configure(request_delay=0.05)
        manifest = harness.manifest(api)
        tasks = [
            api.server.duAsync("/out"),
            api.send.createTransfer(harness.destination(api), manifest),
            api.send.createManifest({"/x": "/missing"}),
            api.server.lsRootsAsync(),
        ]
        size, transfer, failed, roots = api.wait_all(tasks, timeout=BOUND)
        assert (size, len(roots)) == (1000, 1)
        assert (transfer.transfer_id, transfer.status) == (tasks[1]["transferId"], "complete")
        assert (failed.manifest_id, failed.status) == (tasks[2]["manifestId"], "error")

    def test_one_that_fails_is_raised(self, harness: JetStreamServers, api: API) -> None:
        with pytest.raises(NotFound):
            api.wait_all([api.server.lsRootsAsync(), api.server.duAsync("/missing")], timeout=BOUND)

    @pytest.mark.parametrize("tasks", [["17"], [17], [None], [{"transferId": "17"}]])
    def test_invalid_tasks(self, harness: JetStreamServers, api: API, tasks: Any) -> None:
        with pytest.raises(UsageError, match="Manifest, Transfer and Request"):
            api.wait_all(tasks)


class TestRaw:
    @pytest.mark.parametrize("verb", ["get", "put", "post", "delete", "__call__"])
    def test_verbs_of_http_are_not_there(self, api: API, verb: str) -> None:
        """Regression: ``api.delete("getServerInfo")``, which read."""
        assert not hasattr(api, verb)
        assert hasattr(BasicClient, verb)

    def test_call_knows_every_method(self, harness: JetStreamServers, api: API) -> None:
        made = harness.manifest(api)
        assert api.call("send.waitForManifest", manifestId=made.manifest_id, timeoutSeconds=1)["processing"] is False
        assert api.call("send.deleteManifest", manifestId=made.manifest_id) is None
        with pytest.raises(NotFound):
            api.send.getManifest(made)

    def test_a_deleted_thing_is_not_resumed(self, harness: JetStreamServers, api: API) -> None:
        made = harness.slow(api)
        api.send.suspendTransfer(made)
        with pytest.raises(Conflict):
            api.send.suspendTransfer(made)
        api.send.deleteTransfer(made)
        with pytest.raises(NotFound):
            api.send.resumeTransfer(made)
