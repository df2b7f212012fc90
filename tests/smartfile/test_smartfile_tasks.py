"""Tasks: growing polling intervals, and partial failures are errors."""

from __future__ import annotations

from typing import Any

import pytest
import responses
from responses import RequestsMock

from smartxfer.errors import DecodeError, NotFound, OutcomeUnknown, TaskFailed, UsageError, WaitTimeout
from smartxfer.smartfile import BasicClient, Task
from tests.support.fake_clock import FakeClock

API = "https://files.example.com/api/2/"
TASK = API + "task/u-1/"


def state(status: str, result: Any = None) -> dict[str, Any]:
    return {"uuid": "u-1", "result": {"status": status, "result": result}}


def done(web: RequestsMock, result: Any = None) -> None:
    web.get(TASK, json=state("SUCCESS", result))


def started(web: RequestsMock, operation: str) -> None:
    web.post(API + f"path/oper/{operation}/", json={"uuid": "u-1", "url": "/api/2/task/u-1/"})


def test_the_raw_answer_is_a_task(web: RequestsMock, api: BasicClient) -> None:
    started(web, "move")
    web.get(TASK, json=state("PENDING"))
    done(web)
    task = api.post("/path/oper/move/", src="/a", dst="/b/a")
    assert task["uuid"] == "u-1"
    assert api.wait(task).status == "SUCCESS"


@pytest.mark.parametrize("which", ["u-1", {"uuid": "u-1"}, Task(uuid="u-1")])
def test_whatever_names_the_task(web: RequestsMock, api: BasicClient, which: Any) -> None:
    done(web, {"n": 1})
    assert api.wait(which).output == {"n": 1}


def test_polls_grow_rarer(web: RequestsMock, api: BasicClient, clock: FakeClock) -> None:
    for _ in range(8):
        web.get(TASK, json=state("PENDING"))
    done(web)
    seen: list[str] = []
    api.wait("u-1", progress=lambda task: seen.append(task.status))
    assert seen == ["PENDING"] * 8 + ["SUCCESS"]
    assert clock.waits == [0.192, 0.384, 0.768, 1.536, 3.072, 6.144, 6.144, 6.144]


@pytest.mark.parametrize(
    ("body", "status", "outcome"),
    [
        ({"uuid": "u-1", "status": "SUCCESS"}, "SUCCESS", {}),
        ({"uuid": "u-1", "status": "success", "result": None}, "SUCCESS", {}),
        ({"uuid": "u-1", "status": "PENDING", "result": {"status": "SUCCESS"}}, "SUCCESS", {"status": "SUCCESS"}),
        ({"uuid": "u-1", "status": "SUCCESS", "result": {"a": 1}}, "SUCCESS", {"a": 1}),
        ({"uuid": "u-1", "result": {"status": "PROGRESS", "result": None}}, "PROGRESS", None),
        ({"uuid": "u-1"}, "PENDING", {}),
        ({"uuid": "u-1", "result": "odd"}, "PENDING", {}),
    ],
)
def test_the_status_is_nested_or_at_the_top(body: dict[str, Any], status: str, outcome: Any) -> None:
    task = Task.from_wire(body)
    assert task.status == status
    if outcome is not None:
        assert task.output == outcome


def test_success_with_errors_is_a_failure(web: RequestsMock, api: BasicClient) -> None:
    started(web, "remove")
    done(web, {"errors": {"/docs": "Directory is not empty"}})
    with pytest.raises(TaskFailed, match="failed for some paths: /docs: Directory is not empty") as caught:
        api.remove("/docs")
    assert caught.value.failures == {"/docs": "Directory is not empty"}
    assert caught.value.task.status == "SUCCESS"


@pytest.mark.parametrize("errors", [{"/a": "no"}, "it broke", None])
def test_failure(web: RequestsMock, api: BasicClient, errors: Any) -> None:
    web.get(TASK, json=state("FAILURE", {"errors": errors}))
    with pytest.raises(TaskFailed, match="task u-1 failed"):
        api.wait("u-1")


def test_a_wait_ends(web: RequestsMock, api: BasicClient, clock: FakeClock) -> None:
    web.get(TASK, json=state("PROGRESS"))
    with pytest.raises(WaitTimeout, match="PROGRESS after 2 s") as caught:
        api.wait("u-1", timeout=2)
    assert caught.value.last.status == "PROGRESS"
    assert sum(clock.waits) == pytest.approx(2)


def test_a_word_that_is_not_known_is_waited_on(web: RequestsMock, api: BasicClient) -> None:
    web.get(TASK, json=state("RETRYING"))
    done(web)
    assert api.wait("u-1").done


def test_checksums(web: RequestsMock, api: BasicClient) -> None:
    started(web, "checksum")
    done(web, {"checksums": {"/a": "ABC", "b/c": "d"}})
    assert api.checksum(["/a", "/b/c"], "sha256") == {"/a": "abc", "/b/c": "d"}
    assert "algorithm=SHA256" in web.calls[0].request.body.decode()  # type: ignore[union-attr]


@pytest.mark.parametrize("outcome", [None, {"checksums": {}}, {"checksums": []}])
def test_checksums_that_are_not_there(web: RequestsMock, api: BasicClient, outcome: Any) -> None:
    started(web, "checksum")
    done(web, outcome)
    with pytest.raises(DecodeError):
        api.checksum("/a")


@pytest.mark.parametrize(
    ("dst", "sent"), [("/new/", "%2Fnew%2F"), ("/new", "%2Fnew"), ("/", "%2F"), ("new/a", "%2Fnew%2Fa")]
)
def test_where_things_are_moved_to(web: RequestsMock, api: BasicClient, dst: str, sent: str) -> None:
    started(web, "move")
    done(web)
    api.move("/a.txt", dst)
    assert web.calls[0].request.body == f"src=%2Fa.txt&dst={sent}".encode()


def test_moving_into_sends_the_path_in_full(web: RequestsMock, api: BasicClient) -> None:
    started(web, "move")
    done(web)
    api.move_into("/docs/a.txt", "/new")
    assert web.calls[0].request.body == b"src=%2Fdocs%2Fa.txt&dst=%2Fnew%2Fa.txt"


def test_the_root_is_not_removed(api: BasicClient) -> None:
    with pytest.raises(UsageError, match="root"):
        api.remove(["/a", "//"])


def test_a_lost_answer_to_a_long_operation(web: RequestsMock, api: BasicClient) -> None:
    web.post(API + "path/oper/move/", body=ConnectionResetError())
    with pytest.raises(OutcomeUnknown):
        api.move("/a", "/b")
    assert len(web.calls) == 1


def test_a_lost_answer_to_mkdir_is_looked_up(web: RequestsMock, api: BasicClient) -> None:
    web.post(API + "path/oper/mkdir/", body=ConnectionResetError())
    web.get(API + "path/info/new/", json={"path": "/new", "isdir": True})
    assert api.mkdir("/new").path == "/new"


def test_a_lost_answer_to_mkdir_that_did_nothing(web: RequestsMock, api: BasicClient) -> None:
    web.post(API + "path/oper/mkdir/", body=ConnectionResetError())
    web.get(API + "path/info/new/", status=404)
    with pytest.raises(OutcomeUnknown):
        api.mkdir("/new")


def test_a_lost_answer_to_rename_is_looked_up(web: RequestsMock, api: BasicClient) -> None:
    web.post(API + "path/oper/rename/", body=ConnectionResetError())
    web.get(API + "path/info/a/", status=404)
    web.get(API + "path/info/b/", json={"path": "/b", "isfile": True})
    assert api.rename("/a", "/b").path == "/b"


def test_listing_goes_through_all_pages(web: RequestsMock, api: BasicClient) -> None:
    def page(number: int, names: list[str]) -> None:
        children = [{"path": f"/{name}", "name": name, "isfile": True} for name in names]
        query = {"children": "true", "page": str(number)}
        web.get(
            API + "path/info/",
            json={"path": "/", "children": children, "page": number, "pages": 3},
            match=[responses.matchers.query_param_matcher(query)],
        )

    page(1, ["a", "b"])
    page(2, ["b", "c"])
    page(3, ["d"])
    assert [info.name for info in api.listdir()] == ["a", "b", "c", "d"]


def test_listing_without_children(web: RequestsMock, api: BasicClient) -> None:
    web.get(API + "path/info/a/", json={"path": "/a", "isfile": True})
    with pytest.raises(DecodeError, match="children"):
        api.listdir("/a")


def test_links(web: RequestsMock, api: BasicClient) -> None:
    web.get(API + "link/", json={"results": [{"uid": "one"}], "page": 1, "pages": 2})
    web.get(API + "link/", json={"results": [{"uid": "two"}], "page": 2, "pages": 2})
    links = api.links()
    assert [link.uid for link in links] == ["one", "two"]
    assert "one" not in repr(links)
    web.delete(API + "link/one/", status=204)
    api.delete_link(links[0])
    web.delete(API + "link/two/", status=404)
    api.delete_link("two")


def test_existence(web: RequestsMock, api: BasicClient) -> None:
    web.get(API + "path/info/a/", json={"path": "/a", "isfile": True})
    web.get(API + "path/info/b/", status=404, body="<html>", content_type="text/html")
    assert api.exists("/a")
    assert not api.exists("/b")
    with pytest.raises(NotFound):
        api.stat("/b")
