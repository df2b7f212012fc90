"""Files of the server: each ``...Async`` of the reference, and its plain form."""

from __future__ import annotations

from typing import Any, Callable

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


class TestAsync:
    """Asynchronous calls of the reference, and the results of their requests."""

    @pytest.fixture
    def done(self) -> Callable[[Any], Any]:
        def result(request: Any) -> Any:
            assert isinstance(request, Request)
            return request.result(BOUND)

        return result

    def test_ls_async(self, tree: JetStreamServers, api: API, done: Callable[[Any], Any]) -> None:
        found = done(api.server.lsAsync("/docs"))
        assert [(entry["name"], entry["path"], entry["type"]) for entry in found] == [
            ("a.txt", "/docs/a.txt", "file"),
            ("deep", "/docs/deep", "directory"),
        ]
        assert (found[0]["size"], found[0]["modifiedTime"] > 1e15) == (4, True)

    def test_ls_async_of_several(self, tree: JetStreamServers, api: API, done: Callable[[Any], Any]) -> None:
        found = done(api.server.lsAsync(path=["/docs/deep", "/more"]))
        assert [entry["path"] for entry in found] == ["/docs/deep/b.txt", "/more/c.txt"]

    def test_ls_list_async(self, tree: JetStreamServers, api: API, done: Callable[[Any], Any]) -> None:
        found = done(api.server.lsListAsync(["/docs/deep", "/more"]))
        assert {path: [entry["name"] for entry in entries] for path, entries in found.items()} == {
            "/docs/deep": ["b.txt"],
            "/more": ["c.txt"],
        }
        assert list(done(api.server.lsListAsync("/more"))) == ["/more"]

    def test_ls_roots_async(self, tree: JetStreamServers, api: API, done: Callable[[Any], Any]) -> None:
        [entry] = done(api.server.lsRootsAsync())
        assert (entry["path"], entry["type"]) == ("/", "directory")

    def test_du_async(self, tree: JetStreamServers, api: API, done: Callable[[Any], Any]) -> None:
        assert done(api.server.duAsync("/docs")) == 6
        assert done(api.server.duAsync(["/docs", "/more/c.txt"])) == 7
        assert done(api.server.duAsync("/docs/a.txt")) == 4

    def test_mkdir_async(self, tree: JetStreamServers, api: API, done: Callable[[Any], Any]) -> None:
        assert done(api.server.mkdirAsync("/new/deeper/deepest")) is None
        assert [entry["path"] for entry in api.ls("/new/deeper")] == ["/new/deeper/deepest"]

    def test_mk_file_async(self, tree: JetStreamServers, api: API, done: Callable[[Any], Any]) -> None:
        assert done(api.server.mkFileAsync("/new/empty")) is None
        assert tree.near.files()["/new/empty"] == 0

    def test_mv_async(self, tree: JetStreamServers, api: API, done: Callable[[Any], Any]) -> None:
        assert done(api.server.mvAsync("/docs/a.txt", "/docs/z.txt")) is None
        assert tree.near.read("/docs/z.txt") == b"aaaa"
        assert "/docs/a.txt" not in tree.near.files()
        assert done(api.server.mvAsync(from_="/docs/z.txt", to="/more")) is None
        assert tree.near.read("/more/z.txt") == b"aaaa"

    def test_rm_async(self, tree: JetStreamServers, api: API, done: Callable[[Any], Any]) -> None:
        assert done(api.server.rmAsync("/docs")) is None
        assert done(api.server.rmAsync("/more/c.txt")) is None
        assert tree.near.files() == {}


class TestPlain:
    def test_ls(self, tree: JetStreamServers, api: API) -> None:
        assert [entry["name"] for entry in api.ls()] == ["docs", "more"]
        assert [entry["name"] for entry in api.ls("/docs/deep", timeout=BOUND)] == ["b.txt"]

    def test_ls_roots(self, api: API) -> None:
        assert [entry["path"] for entry in api.ls_roots()] == ["/"]

    def test_du(self, tree: JetStreamServers, api: API) -> None:
        assert api.du("/") == 7

    def test_mkdir_mkfile_mv_rm(self, harness: JetStreamServers, api: API) -> None:
        answers: Any = [api.mkdir("/a/b"), api.mkfile("/a/b/c"), api.mv("/a/b/c", "/a/d"), api.rm("/a/b")]
        assert answers == [None] * 4
        assert (harness.near.files(), [entry["name"] for entry in api.ls("/a")]) == ({"/a/d": 0}, ["d"])


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
