"""Files of the server: each ``...Async`` of the reference, and its plain form."""

from __future__ import annotations

from typing import Any

import pytest

from smartxfer.errors import Conflict, Forbidden, NotFound, UsageError
from smartxfer.jetstream import API, Request
from tests.support.jetstream_servers import BOUND, JetStreamServers


@pytest.fixture
def tree(harness: JetStreamServers) -> JetStreamServers:
    """Two folders with files."""
    harness.near.write("/docs/a.txt", b"aaaa")
    harness.near.write("/docs/deep/b.txt", b"bb")
    harness.near.write("/more/c.txt", b"c")
    return harness


def paths(found: Any) -> Any:
    """Return the paths of entries, by the listed path if there are several lists."""
    if isinstance(found, dict):
        return {path: paths(entries) for path, entries in found.items()}
    return [entry["path"] for entry in found] if isinstance(found, list) else found


#: The calls of the reference that read, and what their requests result in.
READS = [
    (lambda server: server.lsAsync("/docs"), ["/docs/a.txt", "/docs/deep"]),
    (lambda server: server.lsAsync(path=["/docs/deep", "/more"]), ["/docs/deep/b.txt", "/more/c.txt"]),
    (
        lambda server: server.lsListAsync(["/docs/deep", "/more"]),
        {"/docs/deep": ["/docs/deep/b.txt"], "/more": ["/more/c.txt"]},
    ),
    (lambda server: server.lsListAsync("/more"), {"/more": ["/more/c.txt"]}),
    (lambda server: server.lsRootsAsync(), ["/"]),
    (lambda server: server.duAsync("/docs"), 6),
    (lambda server: server.duAsync(["/docs", "/more/c.txt"]), 7),
    (lambda server: server.duAsync("/docs/a.txt"), 4),
]
#: Those that change something, and the files afterwards.
CHANGES = [
    (lambda server: server.mkdirAsync("/new/deeper/deepest"), "/docs/a.txt /docs/deep/b.txt /more/c.txt"),
    (lambda server: server.mkFileAsync("/new/empty"), "/docs/a.txt /docs/deep/b.txt /more/c.txt /new/empty"),
    (lambda server: server.mvAsync("/docs/a.txt", "/docs/z.txt"), "/docs/deep/b.txt /docs/z.txt /more/c.txt"),
    (
        lambda server: server.mvAsync(from_="/docs/a.txt", to="/more"),
        "/docs/deep/b.txt /more/a.txt /more/c.txt",
    ),
    (lambda server: server.rmAsync("/docs"), "/more/c.txt"),
    (lambda server: server.rmAsync("/more/c.txt"), "/docs/a.txt /docs/deep/b.txt"),
]


@pytest.mark.parametrize(("call", "expected"), READS)
def test_what_is_read(tree: JetStreamServers, api: API, call: Any, expected: Any) -> None:
    request = call(api.server)
    assert isinstance(request, Request)
    assert paths(request.result(BOUND)) == expected


@pytest.mark.parametrize(("call", "files"), CHANGES)
def test_what_is_changed(tree: JetStreamServers, api: API, call: Any, files: str) -> None:
    assert call(api.server).result(BOUND) is None
    assert sorted(tree.near.files()) == files.split()
    assert {tree.near.read(path) for path in files.split()} <= {b"aaaa", b"bb", b"c", b""}


def test_entries_of_a_directory(tree: JetStreamServers, api: API) -> None:
    found = api.server.lsAsync("/docs").result(BOUND)
    assert [(entry["name"], entry["type"]) for entry in found] == [("a.txt", "file"), ("deep", "directory")]
    assert (found[0]["size"], found[0]["modifiedTime"] > 1e15) == (4, True)
    assert api.server.mkdirAsync("/new/deeper/deepest").result(BOUND) is None
    assert [entry["path"] for entry in api.ls("/new/deeper")] == ["/new/deeper/deepest"]


def test_plain_forms(tree: JetStreamServers, api: API) -> None:
    assert [entry["name"] for entry in api.ls()] == ["docs", "more"]
    assert [entry["name"] for entry in api.ls("/docs/deep", timeout=BOUND)] == ["b.txt"]
    assert ([entry["path"] for entry in api.ls_roots()], api.du("/")) == (["/"], 7)
    answers: Any = [api.mkdir("/a/b"), api.mkfile("/a/b/c"), api.mv("/a/b/c", "/a/d"), api.rm("/a/b")]
    assert answers == [None] * 4
    assert (tree.near.files()["/a/d"], [entry["name"] for entry in api.ls("/a")]) == (0, ["d"])


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda api: api.ls("/nowhere"), NotFound),
        (lambda api: api.du("/nowhere"), NotFound),
        (lambda api: api.rm("/nowhere"), NotFound),
        (lambda api: api.mv("/nowhere", "/x"), NotFound),
        (lambda api: api.mv("/docs/a.txt", "/more/c.txt"), Conflict),
        (lambda api: api.mkdir("/docs/a.txt"), Conflict),
        (lambda api: api.mkfile("/docs/a.txt"), Conflict),
        (lambda api: api.ls("/docs/../.."), Forbidden),
        (lambda api: api.rm("/"), Forbidden),
    ],
)
def test_what_goes_wrong_within_a_request_is_the_error_of_its_result(
    tree: JetStreamServers, api: API, call: Any, kind: Any
) -> None:
    before = tree.near.files()
    with pytest.raises(kind) as raised:
        call(api)
    assert raised.value.message
    assert raised.value.code in ("NotFound", "InvalidState", "PermissionDenied")
    assert tree.near.files() == before


@pytest.mark.parametrize("path", ["", None, 5, "a\0b", []])
def test_invalid_paths(api: API, path: Any) -> None:
    for call in (api.ls, api.du, api.mkdir, api.mkfile, api.rm, api.server.lsListAsync):
        with pytest.raises(UsageError):
            call(path)
    for pair in ((path, "/x"), ("/x", path)):
        with pytest.raises(UsageError):
            api.mv(*pair)
