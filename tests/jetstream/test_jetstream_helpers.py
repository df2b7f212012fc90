"""``send_files``, ``share``, ``from_uri``, ``wait_all``: the work of several calls in one."""

from __future__ import annotations

import datetime as dt
import os
import threading
from typing import Any, List

import pytest

from smartxfer import BasicClient
from smartxfer.errors import (
    AuthError,
    Cancelled,
    Conflict,
    NotFound,
    OutcomeUnknown,
    TaskFailed,
    TaskSuspended,
    UsageError,
    WaitTimeout,
)
from smartxfer.jetstream import API, JetStream, Manifest, Share, Status, Transfer
from smartxfer.transfer import ProgressEvent
from tests.support.jetstream_servers import BOUND, Stand, until


def there(stand: Stand) -> Any:
    """The far server as ``to``."""
    return (stand.far.host, stand.far.port)


class TestSendFiles:
    def test_one_file(self, stand: Stand, api: API) -> None:
        stand.near.write("/out/a.txt", b"aaa")
        done = api.send_files("/out/a.txt", there(stand), timeout=BOUND)
        assert isinstance(done, Transfer)
        assert (done.status, done.fraction, stand.far.read("/a.txt")) == ("complete", 1.0, b"aaa")

    @pytest.mark.parametrize("form", ["text", "pair", "destination"])
    def test_where_to(self, stand: Stand, api: API, form: str) -> None:
        to = {
            "text": f"{stand.far.host}:{stand.far.port}",
            "pair": there(stand),
            "destination": stand.destination(api),
        }[form]
        stand.near.write("/a.txt", b"aaa")
        done = api.send_files("/a.txt", to, into="/in/deep", timeout=BOUND)
        assert done.destination_id == stand.destination(api).destination_id
        assert stand.far.files() == {"/in/deep/a.txt": 3}

    def test_folders_and_pairs(self, stand: Stand, api: API) -> None:
        stand.near.write("/docs/a.txt", b"a")
        stand.near.write("/docs/deep/b.txt", b"bb")
        stand.near.write("/one.txt", b"1")
        stand.near.write("/two.txt", b"22")
        done = api.send_files(
            ["/docs", ("/one.txt", "/elsewhere/1"), ("/two.txt", "renamed")],
            there(stand),
            into="/in",
            timeout=BOUND,
        )
        assert done.total_bytes == 6
        assert stand.far.files() == {
            "/elsewhere/1": 1,
            "/in/docs/a.txt": 1,
            "/in/docs/deep/b.txt": 2,
            "/in/renamed": 2,
        }

    def test_nothing_but_an_empty_file(self, stand: Stand, api: API) -> None:
        stand.near.write("/empty")
        assert api.send_files("/empty", there(stand), timeout=BOUND).fraction == 1.0
        assert stand.far.files() == {"/empty": 0}

    def test_the_progress_ends_at_the_whole(self, stand: Stand, api: API) -> None:
        events: List[ProgressEvent] = []
        stand.near.write("/a.bin", os.urandom(100_000))
        stand.near.configure(rate=1_000_000)
        api.send_files("/a.bin", there(stand), timeout=BOUND, progress=events.append)
        assert events[-1].done == events[-1].total == 100_000
        counts = [event.done for event in events]
        assert counts == sorted(counts)

    def test_a_mapping_is_refused_before_anything_is_sent(self, stand: Stand, api: API) -> None:
        before = len(stand.calls)
        with pytest.raises(UsageError, match="which side is the source"):
            api.send_files({"/x": "/y"}, there(stand))  # type: ignore[arg-type]
        assert len(stand.calls) == before

    def test_a_manifest_that_fails_is_cleared_away(self, stand: Stand, api: API) -> None:
        before = len(api.send.getManifests())
        with pytest.raises(TaskFailed, match="/missing") as raised:
            api.send_files(["/missing"], there(stand), timeout=BOUND)
        assert isinstance(raised.value.task, Manifest)
        assert raised.value.task.status == Status.ERROR
        assert len(api.send.getManifests()) == before
        assert "send.createTransfer" not in stand.calls

    def test_a_transfer_that_is_refused_leaves_no_manifest(self, stand: Stand, api: API) -> None:
        stand.near.write("/a.txt", b"a")
        before = len(api.send.getManifests())
        stand.destination(api)
        stand.near.configure(licensed=False)
        with pytest.raises(AuthError) as raised:
            api.send_files("/a.txt", there(stand), timeout=BOUND)
        assert raised.value.code == "NotLicensed"
        assert len(api.send.getManifests()) == before

    def test_a_transfer_that_fails(self, stand: Stand, api: API) -> None:
        stand.near.write("/a.txt", b"a")
        before = len(api.send.getManifests())
        with pytest.raises(TaskFailed) as raised:
            api.send_files([("/a.txt", "/../a.txt")], there(stand), timeout=BOUND)
        assert raised.value.task["status"] == "error"
        assert stand.far.files() == {}
        assert len(api.send.getManifests()) == before

    def test_a_time_out_leaves_it_going_on_and_the_next_call_takes_it_up(
        self, stand: Stand, api: API
    ) -> None:
        stand.near.write("/big", os.urandom(1 << 20))
        stand.near.configure(rate=50_000)
        with pytest.raises(WaitTimeout) as raised:
            api.send_files("/big", there(stand), timeout=0.1)
        first = raised.value.last
        assert (first.processing, first.total_bytes) == (True, 1 << 20)
        full: Any = lambda event: stand.near.configure(rate=0)  # noqa: E731 - once it was taken up
        done = api.send_files("/big", there(stand), timeout=BOUND, progress=full)
        assert done.transfer_id == first.transfer_id
        assert stand.calls.count("send.createTransfer") == 1
        assert stand.far.read("/big") == stand.near.read("/big")
        later = api.send_files("/big", there(stand), timeout=BOUND)
        assert later.transfer_id != first.transfer_id

    def test_one_that_somebody_suspends_is_no_success_and_the_next_call_resumes_it(
        self, stand: Stand, api: API
    ) -> None:
        stand.near.write("/big", os.urandom(1 << 20))
        stand.near.configure(rate=50_000)
        other = stand.api()

        def suspend() -> None:
            until(lambda: [one for one in other.send.getTransfers() if one.status == "sending"])
            other.send.suspendTransfer(other.send.getTransfers()[-1])

        thread = threading.Thread(target=suspend)
        thread.start()
        with pytest.raises(TaskSuspended, match="suspended") as raised:
            api.send_files("/big", there(stand), timeout=BOUND)
        thread.join(BOUND)
        task = raised.value.task
        assert (task.status, "resumeTransfer" in raised.value.hint) == (Status.SUSPENDED, True)
        assert stand.far.files() == {}
        stand.near.configure(rate=0)
        done = api.send_files("/big", there(stand), timeout=BOUND)
        assert done.transfer_id == task.transfer_id
        assert stand.far.read("/big") == stand.near.read("/big")

    def test_one_whose_making_was_never_answered_is_looked_for(self, stand: Stand, api: API) -> None:
        """Broken by a second transfer of the same files."""
        stand.near.write("/big", os.urandom(500_000))
        lost = stand.server.fault("jetstream", "POST /jsonrpc/send.createTransfer", "lose-answer", times=2)
        with pytest.raises(OutcomeUnknown):
            api.send_files("/big", there(stand), timeout=BOUND)
        assert lost.fired == 2
        [made] = [one for one in api.send.getTransfers() if one.total_bytes == 500_000][-1:]
        done_already = api.send.waitForTransfer(made, timeout=BOUND)
        assert done_already.status == Status.COMPLETE
        # Over meanwhile: its files may have changed since, so that it is no substitute for a new one.
        assert api.send_files("/big", there(stand), timeout=BOUND).transfer_id != made.transfer_id
        stand.near.configure(rate=50_000)
        lost = stand.server.fault("jetstream", "POST /jsonrpc/send.createTransfer", "lose-answer", times=2)
        with pytest.raises(OutcomeUnknown):
            api.send_files("/big", there(stand), timeout=BOUND)
        assert lost.fired == 2
        before = {one.transfer_id for one in api.send.getTransfers()}
        full: Any = lambda event: stand.near.configure(rate=0)  # noqa: E731 - once it was taken up
        done = api.send_files("/big", there(stand), timeout=BOUND, progress=full)
        assert done.transfer_id in before

    def test_it_is_looked_for_though_an_older_one_is_remembered(self, stand: Stand, api: API) -> None:
        """Broken by the note of a transfer that is over, which hides that of the one after it."""
        stand.near.write("/big", os.urandom(500_000))
        stand.near.configure(rate=50_000)
        with pytest.raises(WaitTimeout) as raised:
            api.send_files("/big", there(stand), timeout=0.1)
        stand.near.configure(rate=0)
        older = api.send.waitForTransfer(raised.value.last, timeout=BOUND)
        assert older.status == Status.COMPLETE
        stand.near.configure(rate=50_000)
        lost = stand.server.fault("jetstream", "POST /jsonrpc/send.createTransfer", "lose-answer", times=2)
        with pytest.raises(OutcomeUnknown):
            api.send_files("/big", there(stand), timeout=BOUND)
        assert lost.fired == 2
        [made] = {one.transfer_id for one in api.send.getTransfers() if one.processing}
        full: Any = lambda event: stand.near.configure(rate=0)  # noqa: E731 - once it was taken up
        assert api.send_files("/big", there(stand), timeout=BOUND, progress=full).transfer_id == made

    def test_an_earlier_transfer_that_was_deleted_is_made_anew(self, stand: Stand, api: API) -> None:
        stand.near.write("/big", os.urandom(500_000))
        stand.near.configure(rate=50_000)
        with pytest.raises(WaitTimeout) as raised:
            api.send_files("/big", there(stand), timeout=0.1)
        api.send.deleteTransfer(raised.value.last)
        stand.near.configure(rate=0)
        done = api.send_files("/big", there(stand), timeout=BOUND)
        assert done.transfer_id != raised.value.last.transfer_id

    def test_cancelling_ends_the_waiting_alone(self, stand: Stand, api: API) -> None:
        stand.near.write("/big", os.urandom(500_000))
        stand.near.configure(rate=20_000)
        cancel = threading.Event()

        def seen(event: ProgressEvent) -> None:
            if event.done:
                cancel.set()

        with pytest.raises(Cancelled):
            api.send_files("/big", there(stand), progress=seen, cancel=cancel)
        [transfer] = [one for one in api.send.getTransfers() if one.processing]
        stand.near.configure(rate=0)
        assert api.send.waitForTransfer(transfer, timeout=BOUND).status == Status.COMPLETE
        assert stand.far.read("/big") == stand.near.read("/big")


class TestShare:
    def test_a_token_and_its_link(self, stand: Stand, api: API) -> None:
        stand.near.write("/docs/a.txt", b"aaa")
        shared = api.share(
            "/docs", expires=dt.timedelta(days=1), limit=2, password="open-sesame", description="d"
        )
        assert isinstance(shared, Share)
        token, link = shared
        assert link == f"jetstream://127.0.0.1:{stand.near.port}/download?token={token.token}"
        assert (token.download_limit, token.password_required, token.description) == (2, True, "d")
        assert api.send.getManifestFiles(token) == {"/docs/a.txt": "/docs/a.txt"}

        guest = JetStream.from_uri(link, password="open-sesame")
        [manifest] = guest.send.getManifests()
        transfer = guest.send.createTransfer(stand.destination(guest), manifest)
        assert guest.send.waitForTransfer(transfer, timeout=BOUND).status == Status.COMPLETE
        assert stand.far.files() == {"/docs/a.txt": 3}
        guest.close()

    def test_without_limits(self, stand: Stand, api: API) -> None:
        stand.near.write("/a.txt", b"a")
        token = api.share(["/a.txt"]).token
        assert (token.expiry_time, token.download_limit, token.password_required) == (None, None, False)

    def test_what_is_not_there(self, stand: Stand, api: API) -> None:
        before = len(api.send.getManifests())
        with pytest.raises(TaskFailed, match="/missing"):
            api.share("/missing")
        assert len(api.send.getManifests()) == before

    def test_a_token_that_is_refused_leaves_no_manifest(self, stand: Stand, api: API) -> None:
        stand.near.write("/a.txt", b"a")
        stand.near.configure(allow_shared_tokens=False)
        before = len(api.send.getManifests())
        with pytest.raises(AuthError):
            api.share("/a.txt")
        assert len(api.send.getManifests()) == before

    def test_a_time_without_a_zone_is_refused_before_anything_is_made(self, stand: Stand, api: API) -> None:
        with pytest.raises(UsageError, match="time zone"):
            api.share("/a.txt", expires=dt.datetime(2030, 1, 1))  # noqa: DTZ001 - the mistake
        assert "send.createManifest" not in stand.calls


class TestFromUri:
    def test_a_wrong_password_closes_what_was_opened(self, stand: Stand, api: API) -> None:
        stand.near.write("/a.txt", b"a")
        link = api.share("/a.txt", password="open-sesame").link
        sessions = len(stand.near.sessions.all())
        with pytest.raises(AuthError):
            API.from_uri(link, password="open-barley")
        assert len(stand.near.sessions.all()) == sessions

    def test_connect_says_nothing_yet(self, stand: Stand) -> None:
        api = JetStream.from_uri(f"jetstream://127.0.0.1:{stand.near.port}/connect")
        assert (api.base_url, stand.calls) == (stand.near.url, [])

    def test_login_token_takes_text_and_structures(self, stand: Stand, api: API) -> None:
        token = api.send.createSharedToken(stand.manifest(api))
        for form in (token, token.token):
            guest = stand.nobody()
            guest.login_token(form)
            assert len(guest.send.getManifests()) == 1


class TestWaitAll:
    def test_results_in_the_given_order(self, stand: Stand, api: API) -> None:
        stand.near.configure(request_delay=0.05)
        manifest = stand.manifest(api)
        tasks = [
            api.server.duAsync("/out"),
            api.send.createTransfer(stand.destination(api), manifest),
            api.send.createManifest({"/x": "/missing"}),
            api.server.lsRootsAsync(),
        ]
        size, transfer, failed, roots = api.wait_all(tasks, timeout=BOUND)
        assert (size, len(roots)) == (1000, 1)
        assert (transfer.transfer_id, transfer.status) == (tasks[1]["transferId"], "complete")
        assert (failed.manifest_id, failed.status) == (tasks[2]["manifestId"], "error")

    def test_a_time_out_tells_what_is_known_of_each(self, stand: Stand, api: API) -> None:
        slow = stand.slow(api)
        quick = api.server.lsRootsAsync()
        with pytest.raises(WaitTimeout, match="1 of 2") as raised:
            api.wait_all([slow, quick], timeout=0.1)
        transfer, roots = raised.value.last
        assert (transfer.transfer_id, transfer.processing, len(roots)) == (slow.transfer_id, True, 1)
        api.send.deleteTransfer(slow)

    def test_one_that_fails_is_raised(self, stand: Stand, api: API) -> None:
        with pytest.raises(NotFound):
            api.wait_all([api.server.lsRootsAsync(), api.server.duAsync("/missing")], timeout=BOUND)

    def test_none(self, api: API) -> None:
        assert api.wait_all([]) == []

    @pytest.mark.parametrize("tasks", [["17"], [17], [None], [{"transferId": "17"}]])
    def test_what_is_none(self, stand: Stand, api: API, tasks: Any) -> None:
        with pytest.raises(UsageError, match="a Manifest, a Transfer or a Request"):
            api.wait_all(tasks)


class TestRaw:
    def test_call_gives_plain_results(self, stand: Stand, api: API) -> None:
        made = stand.manifest(api)
        found = api.call("send.getManifest", manifestId=made.manifest_id)
        assert type(found) is dict
        assert found["manifestId"] == made.manifest_id

    @pytest.mark.parametrize("verb", ["get", "put", "post", "delete", "__call__"])
    def test_verbs_of_http_are_not_there(self, api: API, verb: str) -> None:
        """Broken by ``api.delete("getServerInfo")``, which read."""
        assert not hasattr(api, verb)
        assert hasattr(BasicClient, verb)

    def test_call_knows_every_method(self, stand: Stand, api: API) -> None:
        made = stand.manifest(api)
        assert api.call("send.waitForManifest", manifestId=made.manifest_id, timeoutSeconds=1)["processing"] is False
        assert api.call("send.deleteManifest", manifestId=made.manifest_id) is None
        with pytest.raises(NotFound):
            api.send.getManifest(made)

    def test_a_deleted_thing_is_not_resumed(self, stand: Stand, api: API) -> None:
        made = stand.slow(api)
        api.send.suspendTransfer(made)
        with pytest.raises(Conflict):
            api.send.suspendTransfer(made)
        api.send.deleteTransfer(made)
        with pytest.raises(NotFound):
            api.send.resumeTransfer(made)
