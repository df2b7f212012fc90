"""Tasks: growing polling intervals, and partial failures are errors."""

from __future__ import annotations

from typing import Any

import pytest
import responses
from responses import RequestsMock

from smartxfer.errors import DecodeError, TaskFailed, UsageError
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


def test_checksums(web: RequestsMock, api: BasicClient) -> None:
    started(web, "checksum")
    done(web, {"checksums": {"/a": "ABC", "b/c": "d"}})
    assert api.checksum(["/a", "/b/c"], "sha256") == {"/a": "abc", "/b/c": "d"}
    assert "algorithm=SHA256" in web.calls[0].request.body.decode()  # type: ignore[union-attr]


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
