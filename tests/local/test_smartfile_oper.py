"""Operations of the local SmartFile, immediate and as tasks."""

import hashlib
import io
import zipfile
import zlib
from typing import Any, Dict

import pytest

from smartxfer.local import LocalServer
from tests.support.local import smartfile_calls as wire

DATA = bytes(place % 251 for place in range(100_000))


@pytest.fixture
def api(server: LocalServer) -> wire.Api:
    for path in ("/docs/a.txt", "/docs/sub/b.txt", "/other/c.txt"):
        server.smartfile.write(path, path.encode())
    return wire.Api(server.smartfile)


def begun(reply: wire.Reply) -> str:
    """Return the uuid of a started task."""
    assert reply.status == 200, reply.body
    task = reply.json()
    assert task["url"] == "/api/2/task/{}/".format(task["uuid"])
    uuid = task["uuid"]
    assert isinstance(uuid, str)
    return uuid


def done(api: wire.Api, reply: wire.Reply) -> Any:
    """Return the result of an immediate task."""
    task = api.get("task", begun(reply)).json()
    assert task["status"] == task["result"]["status"] == "SUCCESS"
    return task["result"]["result"]


def said(reply: wire.Reply) -> Any:
    return reply.status, reply.json()


def test_mkdir(server: LocalServer, api: wire.Api) -> None:
    made = api.post("path/oper/mkdir", path="/docs/new dir/").json()
    assert (made["path"], made["isdir"], made["items"]) == ("/docs/new dir", True, 0)
    assert api.put("path/oper/mkdir", "/docs/by put").json()["path"] == "/docs/by put"
    assert "/docs/by put" in server.smartfile.directories()
    assert said(api.post("path/oper/mkdir", path="/docs/new dir")) == (200, made)
    assert [api.post("path/oper/mkdir", path=path).status for path in ("/docs/a.txt", "/none/x")] == [409, 404]
    assert said(api.post("path/oper/mkdir")) == (400, {"field_errors": {"path": ["This field is required."]}})
    assert api.post("path/oper/mkdir", path="/docs/../x").json() == {"path": ["Not a path: '/docs/../x'"]}
    server.smartfile.configure(mkdir_existing="conflict", make_parents=True)
    again = api.post("path/oper/mkdir", path="/docs/new dir")
    assert said(again) == (409, {"detail": "Destination exists:/docs/new dir"})
    assert api.post("path/oper/mkdir", path="/x/y/z").json()["path"] == "/x/y/z"


def test_rename(server: LocalServer, api: wire.Api) -> None:
    before = api.get("path/info", "/docs").json()
    moved = api.post("path/oper/rename", src="/docs/", dst="/papers").json()
    assert (moved["id"], moved["path"]) == (before["id"], "/papers")
    assert server.smartfile.read("/papers/sub/b.txt") == b"/docs/sub/b.txt"
    assert api.get("path/info", "/docs").status == 404
    taken = api.post("path/oper/rename", src="/papers", dst="/other")
    assert said(taken) == (409, {"detail": "Destination exists:/other"})
    for src, dst, name in (("/docs", "/x", "src"), ("/papers", "/papers/sub/x", "dst")):
        reply = api.post("path/oper/rename", src=src, dst=dst)
        assert (reply.status, list(reply.json())) == (400, [name])


@pytest.mark.parametrize("dst", ["/other", "/other/"])
def test_move_into_a_directory(server: LocalServer, api: wire.Api, dst: str) -> None:
    # A slash after a file's name is ignored.
    assert done(api, api.post("path/oper/move", src=["/docs/a.txt/", "/docs/sub"], dst=dst)) == {}
    assert set(server.smartfile.files()) == {"/other/a.txt", "/other/sub/b.txt", "/other/c.txt"}
    assert server.smartfile.read("/other/a.txt") == b"/docs/a.txt"


@pytest.mark.parametrize("dst", ["/other", "/other/"])
def test_move_to_a_new_name(server: LocalServer, api: wire.Api, dst: str) -> None:
    server.smartfile.configure(strict_move=True)
    refused = api.post("path/oper/move", src="/docs/a.txt", dst=dst)
    assert said(refused) == (409, {"detail": "Destination exists:/other"})
    done(api, api.post("path/oper/move", src="/docs/a.txt", dst="/other/new.txt"))
    assert server.smartfile.read("/other/new.txt") == b"/docs/a.txt"
    server.smartfile.configure(strict_move=False)
    done(api, api.post("path/oper/move", src="/docs", dst="/papers"))
    assert set(server.smartfile.files()) == {"/other/new.txt", "/other/c.txt", "/papers/sub/b.txt"}


@pytest.mark.parametrize(
    ("form", "status", "names"),
    [
        ({"src": "/docs/a.txt", "dst": "/other/c.txt"}, 409, ["detail"]),
        ({"src": "/docs/a.txt", "dst": "/none/"}, 400, ["dst"]),
        ({"src": ["/docs/a.txt", "/docs/sub"], "dst": "/none"}, 400, ["dst"]),
        ({"src": "/docs", "dst": "/docs/sub/"}, 400, ["dst"]),
        ({"src": "/none", "dst": "/other/"}, 400, ["src"]), ({"src": "/", "dst": "/other/"}, 400, ["src"]),
        ({"dst": "/other/"}, 400, ["field_errors"]),
    ],
)  # fmt: skip
def test_moves_that_are_refused_at_once(
    server: LocalServer, api: wire.Api, form: Dict[str, Any], status: int, names: Any
) -> None:
    before = server.smartfile.files()
    reply = api.post("path/oper/move", **form)
    assert (reply.status, list(reply.json())) == (status, names)
    assert server.smartfile.files() == before
    assert server.smartfile.tasks() == []


def test_copy(server: LocalServer, api: wire.Api) -> None:
    done(api, api.post("path/oper/copy", src=["/docs"], dst="/other"))
    assert server.smartfile.read("/other/docs/sub/b.txt") == b"/docs/sub/b.txt"
    # Two files from now on.
    server.smartfile.write("/docs/a.txt", b"changed")
    three = wire.Api(server.smartfile, "3")
    three.call("PATCH", "path/data", "/docs/sub/b.txt", body=b"more", headers={"Range": "bytes=15-"})
    assert server.smartfile.read("/other/docs/a.txt") == b"/docs/a.txt"
    assert server.smartfile.read("/other/docs/sub/b.txt") == b"/docs/sub/b.txt"
    assert api.post("path/oper/copy", src="/docs", dst="/other").status == 409
    assert list(api.post("path/oper/copy", src="/docs", dst="/new").json()) == ["dst"]


def test_remove(server: LocalServer, api: wire.Api) -> None:
    stored = server.smartfile.stored_path("/docs/a.txt")
    done(api, api.post("path/oper/remove", path=["/docs", "/other/c.txt"]))
    assert (server.smartfile.files(), server.smartfile.directories()) == ({}, ["/other"])
    done(api, api.delete("path/oper/remove", "/other"))
    again = (api.post("path/oper/remove", path="/other"), api.delete("path/oper/remove", "/other"))
    assert [reply.status for reply in (*again, api.post("path/oper/remove", path="/"))] == [404, 404, 400]
    server.stop()
    with pytest.raises(FileNotFoundError):
        open(stored, "rb")


def test_a_directory_that_is_not_empty_may_be_an_error(server: LocalServer, api: wire.Api) -> None:
    server.smartfile.configure(refuse_nonempty=True)
    result = done(api, api.post("path/oper/remove", path=["/docs", "/other/c.txt"]))
    assert result == {"errors": {"/docs": "Directory is not empty"}}
    assert set(server.smartfile.files()) == {"/docs/a.txt", "/docs/sub/b.txt"}


@pytest.mark.parametrize("algorithm", ["MD5", "sha1", "Sha256", "SHA512", "crc-32"])
def test_checksum(server: LocalServer, api: wire.Api, algorithm: str) -> None:
    contents = {"/docs/a.txt": DATA, "/docs/empty": b""}
    for path, data in contents.items():
        server.smartfile.write(path, data)
    result = done(api, api.post("path/oper/checksum", path=list(contents), algorithm=algorithm))
    for path, data in contents.items():
        crc = f"{zlib.crc32(data):08x}"
        wanted = crc if algorithm == "crc-32" else hashlib.new(algorithm.lower(), data).hexdigest()
        assert result["checksums"][path] == wanted


def test_checksums_that_cannot_be(api: wire.Api) -> None:
    assert api.post("path/oper/checksum", path="/none", algorithm="MD5").status == 404
    wrong = api.post("path/oper/checksum", path="/docs/a.txt", algorithm="MD4")
    assert (wrong.status, list(wrong.json())) == (400, ["algorithm"])
    result = done(api, api.post("path/oper/checksum", path=["/docs", "/docs/a.txt"], algorithm="MD5"))
    assert result["errors"] == {"/docs": "Is a directory: /docs"}
    assert list(result["checksums"]) == ["/docs/a.txt"]


def test_compress(server: LocalServer, api: wire.Api) -> None:
    form = {"path": ["/docs", "/other/c.txt"], "dst": "/other", "name": "x.zip"}
    assert done(api, api.post("path/oper/compress", **form)) == {"path": "/other/x.zip"}
    with zipfile.ZipFile(io.BytesIO(server.smartfile.read("/other/x.zip"))) as archive:
        assert sorted(archive.namelist()) == ["c.txt", "docs/", "docs/a.txt", "docs/sub/", "docs/sub/b.txt"]
        assert archive.read("docs/sub/b.txt") == b"/docs/sub/b.txt"
    wrong = [{"dst": "/none"}, {"name": "a/x"}]
    assert [api.post("path/oper/compress", **{**form, **more}).status for more in wrong] == [404, 400]


def test_tasks_take_their_time(server: LocalServer, api: wire.Api) -> None:
    server.smartfile.configure(task_polls=3)
    uuid = begun(api.post("path/oper/remove", path="/docs/a.txt"))
    for status in ("PENDING", "PROGRESS", "PROGRESS"):
        task = api.get("task", uuid).json()
        assert (task["status"], task["result"]["status"]) == (status, status)
    assert "/docs/a.txt" in server.smartfile.files()
    listed = api.get("task").json()
    assert (listed["total"], listed["results"][0]["uuid"]) == (1, uuid)
    last = api.get("task", uuid).json()
    assert (last["result"]["status"], "/docs/a.txt" in server.smartfile.files()) == ("SUCCESS", False)
    assert api.get("task", uuid).json() == last
    server.smartfile.configure(task_list="array")
    assert api.get("task").json() == [last]
    assert api.get("task", "none").status == 404


@pytest.mark.parametrize("failure", [False, True])
def test_tasks_with_errors(server: LocalServer, api: wire.Api, failure: bool) -> None:
    server.smartfile.configure(task_errors={"/docs/a.txt": "Locked"}, task_failure=failure)
    uuid = begun(api.post("path/oper/remove", path=["/docs/a.txt", "/docs/sub"]))
    task = api.get("task", uuid).json()
    assert task["result"]["status"] == ("FAILURE" if failure else "SUCCESS")
    assert task["result"]["result"] == {"errors": {"/docs/a.txt": "Locked"}}
    assert set(server.smartfile.files()) == {"/docs/a.txt", "/other/c.txt"}


def test_what_went_away_meanwhile_is_an_error_of_the_task(server: LocalServer, api: wire.Api) -> None:
    server.smartfile.configure(task_polls=1)
    uuid = begun(api.post("path/oper/move", src=["/docs/a.txt", "/docs/sub"], dst="/other/"))
    server.smartfile.configure(task_polls=0)
    done(api, api.delete("path/oper/remove", "/docs/a.txt"))
    assert api.get("task", uuid).json()["status"] == "PENDING"
    task = api.get("task", uuid).json()
    assert task["result"]["result"]["errors"] == {"/docs/a.txt": "Not found: /docs/a.txt"}
    assert "/other/sub/b.txt" in server.smartfile.files()


def test_json_bodies_are_read_too(server: LocalServer, api: wire.Api) -> None:
    body = b'{"path": ["/docs/a.txt", "/other/c.txt"], "algorithm": "MD5"}'
    headers = {"Content-Type": "application/json"}
    assert len(done(api, api.call("POST", "path/oper/checksum", body=body, headers=headers))["checksums"]) == 2
    for wrong in (b"[1]", b"{" * 9999):
        assert api.call("POST", "path/oper/checksum", body=wrong, headers=headers).status == 400
