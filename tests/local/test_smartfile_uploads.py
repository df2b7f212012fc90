"""Uploads to the local SmartFile: by form, and by API 3."""

import os
import random
import socket
import threading
import tracemalloc
from typing import Any, Callable, Iterator, List, Tuple

import pytest

from smartxfer.local import LocalServer
from smartxfer.local.multipart import BadMultipart, read_form
from tests.support.local import smartfile_calls as wire

DATA = bytes(place % 251 for place in range(300_000))


@pytest.fixture
def api(server: LocalServer) -> wire.Api:
    server.smartfile.mkdir("/docs")
    return wire.Api(server.smartfile)


@pytest.fixture
def api3(server: LocalServer, api: wire.Api) -> wire.Api:
    return wire.Api(server.smartfile, "3")


def test_several_files_in_one_form(server: LocalServer, api: wire.Api) -> None:
    more = (("b.bin", "b.bin", b""), ("x", 'ü \\" #.txt', b"x"))
    body, headers = wire.multipart(("file", "a.bin", DATA), ("note", None, b"only text"), *more)
    in_chunks = iter([body[:7], body[7:100_000], body[100_000:]])
    infos = api.call("POST", "path/data", "/docs", body=in_chunks, headers=headers).json()
    assert [info["path"] for info in infos] == ["/docs/a.bin", "/docs/b.bin", '/docs/ü " #.txt']
    assert server.smartfile.files() == {"/docs/a.bin": 300_000, "/docs/b.bin": 0, '/docs/ü " #.txt': 1}
    assert server.smartfile.read("/docs/a.bin") == DATA


@pytest.mark.parametrize(("answer", "status"), [("array", 200), ("object", 201)])
def test_the_answer_may_be_an_object(server: LocalServer, api: wire.Api, answer: str, status: int) -> None:
    server.smartfile.configure(upload_answer=answer, upload_status=status)
    reply = api.upload("/docs", "a.bin", b"x")
    info = reply.json() if answer == "object" else reply.json()[0]
    assert (reply.status, info["path"]) == (status, "/docs/a.bin")


def test_a_file_of_that_name_is_overwritten(server: LocalServer, api: wire.Api) -> None:
    first = api.upload("/docs", "a.bin", DATA).json()[0]
    second = api.upload("/docs", "a.bin", b"short").json()[0]
    assert (second["id"], second["size"]) == (first["id"], 5)
    assert server.smartfile.read("/docs/a.bin") == b"short"


def test_directories_in_the_file_name(server: LocalServer, api: wire.Api) -> None:
    server.smartfile.mkdir("/docs/sub")
    for directory, name in (("/", "/docs/a.txt"), ("/docs", "sub/b.txt"), ("/x/y", "z/a.txt")):
        server.smartfile.configure(make_parents=directory == "/x/y")
        path = api.upload(directory, name, b"x").json()[0]["path"]
        assert path == (name if directory == "/" else directory + "/" + name)


@pytest.mark.parametrize(
    ("directory", "name", "status"),
    [
        ("/none", "a", 404), ("/", "none/a", 404), ("/", "docs", 400), ("/", "../a", 400),
        ("/docs", "..", 400), ("/taken", "a", 400),
    ],
)  # fmt: skip
def test_refused_uploads(server: LocalServer, api: wire.Api, directory: str, name: str, status: int) -> None:
    server.smartfile.write("/taken", b"kept")
    body, headers = wire.multipart(("file", name, DATA))
    assert api.call("POST", "path/data", directory, body=body, headers=headers).status == status
    assert server.smartfile.files() == {"/taken": 4}
    assert left_over(server) == []


def left_over(server: LocalServer) -> List[str]:
    """Return the temporary files that are not in use."""
    return os.listdir(server.smartfile.backend.tree.incoming)


B1 = "multipart/form-data; boundary=b1"
HEAD = b'--b1\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nxyz'


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"x", "text/plain"), (b"", "multipart/form-data"), (b"--b1\r\n", B1), (b"--b1--\r\n", B1), (HEAD, B1),
        (HEAD + b"\r\n--b1", B1), (b"--b1\r\n\r\nno head\r\n--b1--\r\n", B1),
        (b"--b1\r\n" + b"x" * 40_000, B1), (b"--b1garbage\r\n\r\n\r\n--b1--", B1),
    ],
)  # fmt: skip
def test_broken_forms(server: LocalServer, api: wire.Api, body: bytes, kind: str) -> None:
    reply = api.call("POST", "path/data", "/docs", body=body, headers={"Content-Type": kind})
    assert reply.status == (415 if kind == "text/plain" else 400), reply.body
    assert (server.smartfile.files(), left_over(server)) == ({}, [])


@pytest.mark.parametrize("sent", [0, 100, 200_000])
def test_a_broken_upload_leaves_the_old_file(server: LocalServer, api: wire.Api, sent: int) -> None:
    server.smartfile.write("/docs/a.bin", b"the old one")
    body, headers = wire.multipart(("file", "a.bin", DATA))
    lines = [f"{name}: {value}\r\n" for name, value in {**api.headers, **headers}.items()]
    with socket.create_connection(("127.0.0.1", server.smartfile.listener.port), 10) as raw:
        head = f"POST /api/2/path/data/docs/ HTTP/1.1\r\nContent-Length: {len(body)}\r\n{''.join(lines)}\r\n"
        raw.sendall(head.encode() + body[:sent])
        raw.shutdown(socket.SHUT_WR)
        assert raw.recv(100) == b""
    assert server.smartfile.read("/docs/a.bin") == b"the old one"
    assert left_over(server) == []
    assert server.smartfile.count("POST *", 0) == 1


def test_a_reader_of_the_old_file_is_not_disturbed(server: LocalServer, api: wire.Api) -> None:
    server.smartfile.write("/docs/a.bin", DATA)
    with server.smartfile.backend.tree.open("/docs/a.bin") as stream:
        half = stream.read(150_000)
        api.upload("/docs", "a.bin", b"new")
        assert half + stream.read() == DATA


def test_progress_of_an_upload(server: LocalServer, api: wire.Api) -> None:
    body, headers = wire.multipart(("file", "a.bin", DATA))
    headers["X-Upload-UUID"] = "u-1"
    assert api.get("path/progress", "u-1").status == 404
    fault = server.fault("smartfile", "POST /api/2/path/data/*", "stall-after 100000")
    ended = []

    def upload() -> None:
        with pytest.raises(ConnectionError):
            api.call("POST", "path/data", "/docs", body=body, headers=headers)
        ended.append(True)

    thread = threading.Thread(target=upload)
    thread.start()
    assert fault.wait(10)
    assert api.get("path/progress", "u-1").json() == {"uuid": "u-1", "received": 100_000, "size": len(body)}
    server.clear_faults()
    thread.join(10)
    assert ended == [True]
    api.call("POST", "path/data", "/docs", body=body, headers=headers)
    assert api.get("path/progress", "u-1").json()["received"] == len(body)


class Pieces:
    """A body that is read in pieces of a given size."""

    def __init__(self, data: bytes, size: int) -> None:
        self.data, self.size, self.at = data, size, 0

    def readinto(self, view: memoryview) -> int:
        piece = self.data[self.at : self.at + min(self.size, len(view))]
        view[: len(piece)] = piece
        self.at += len(piece)
        return len(piece)


def parts_of(data: bytes, size: int, boundary: str = "b1") -> List[Tuple[str, Any, bytes]]:
    found: List[Tuple[str, str, bytearray]] = []

    def open_file(name: str, filename: str) -> Callable[[memoryview], None]:
        found.append((name, filename, bytearray()))
        return found[-1][2].extend

    fields = read_form(Pieces(data, size), f"multipart/form-data; boundary={boundary}", open_file)
    return [(name, filename, bytes(held)) for name, filename, held in found] + [
        (name, None, value.encode()) for name, value in fields
    ]


def nasty(seed: int) -> bytes:
    """Return bytes with many prefixes of delimiters."""
    choose = random.Random(seed)
    pool = [b"\r\n--b", b"\r", b"\n", b"\r\n", b"--b1", b"-", b"\r\n--", b"x", b"\r\n--b2", b"\0" * 9]
    chosen = b"".join(choose.choice(pool) for _ in range(choose.randrange(200)))
    return chosen.replace(b"\r\n--b1", b"\r\n--B1")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1 << 20])
def test_delimiters_are_found_wherever_a_read_ends(size: int) -> None:
    parts = [(f"f{seed}", f"n{seed}", nasty(seed)) for seed in range(30)]
    body, _ = wire.multipart(*parts)
    assert parts_of(b"preamble\r\n" + body + b"epilogue", size) == parts
    # Without a line end after the last delimiter, and with blanks after the others.
    assert parts_of(body[:-2].replace(b"--b1\r\nContent", b"--b1 \t\r\nContent"), size) == parts


def test_bytes_longer_than_the_buffer() -> None:
    data = random.Random(1).getrandbits(8 * 3_000_001).to_bytes(3_000_001, "big")
    body, _ = wire.multipart(("f", "n", data), ("g", None, b"text"))
    assert parts_of(body, 100_000) == [("f", "n", data), ("g", None, b"text")]


@pytest.mark.parametrize("end", range(1, 60, 3))
def test_a_form_that_ends_too_early(end: int) -> None:
    body, _ = wire.multipart(("f", "n", b"12345"))
    with pytest.raises(BadMultipart):
        parts_of(body[: -2 - end], 5)


def test_files_without_a_name_are_passed_over() -> None:
    body, _ = wire.multipart(("f", "n", DATA), ("e", "", DATA), ("g", "m", b"x"))
    assert [part[:2] for part in parts_of(body, 999)] == [("f", "n"), ("g", "m")]


@pytest.mark.parametrize(
    ("line", "filename"),
    [
        ('filename="a.txt"', "a.txt"), ("filename=a.txt", "a.txt"), ('filename="a;b.txt"', "a;b.txt"),
        ('filename="a%22b"', 'a"b'), (r'filename="a\"b\\c"', r'a"b\c'), ('filename="50%25"', "50%25"),
        ("filename*=utf-8''%C2%A9%20x", "© x"), ("filename=\"c x\"; filename*=UTF-8''%C2%A9%20x", "© x"),
        ('filename="ü"', "ü"), ('FileName="a"', "a"),
    ],
)  # fmt: skip
def test_names_of_files(line: str, filename: str) -> None:
    body = f'--b1\r\nX: y\r\ncontent-disposition: form-data; name="f"; {line}\r\n\r\n\r\n--b1--'.encode()
    assert parts_of(body, 1000) == [("f", filename, b"")]


def test_boundaries_in_quotes() -> None:
    body = b'--a b; c\r\nContent-Disposition: form-data; name="f"; filename="n"\r\n\r\nx\r\n--a b; c--'
    kind, held = 'multipart/form-data; Boundary="a b; c"; charset=utf-8', bytearray()
    read_form(Pieces(body, 9), kind, lambda name, filename: held.extend)
    assert held == b"x"


def test_put(server: LocalServer, api3: wire.Api) -> None:
    reply = api3.call("PUT", "path/data", "/docs/a b.bin", body=DATA)
    assert (reply.status, reply.json()["path"], reply.json()["size"]) == (200, "/docs/a b.bin", 300_000)
    assert api3.data("/docs/a b.bin") == DATA
    api3.call("PUT", "path/data", "/docs/a b.bin", body=iter([b"in ", b"chunks"]))
    assert server.smartfile.read("/docs/a b.bin") == b"in chunks"
    # Failures have status 200.
    for path, status in (("/none/a", 404), ("/docs", 400), ("/", 400)):
        refused = api3.call("PUT", "path/data", path, body=b"x")
        assert (refused.status, refused.json()["status"]) == (200, status)
        assert refused.json()["detail"]


def test_patch_appends(server: LocalServer, api3: wire.Api) -> None:
    server.smartfile.write("/docs/a.bin", DATA[:1000])

    def patch(offset: str, data: bytes, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Range": f"bytes={offset}", **named}
        return api3.call("PATCH", "path/data", "/docs/a.bin", body=data, headers=sent).json()

    assert patch("1000-", DATA[1000:5000])["size"] == 5000
    assert patch("1000-", b"x")["status"] == 416
    assert patch("5000-6000", b"x")["status"] == 400
    assert patch("5000-", b"x", If_Unmodified_Since="Sat, 01 Jan 2000 00:00:00 GMT")["status"] == 412
    assert patch("5000-", DATA[5000:], If_Unmodified_Since="Sat, 01 Jan 2050 00:00:00 GMT")["size"] == 300_000
    assert server.smartfile.read("/docs/a.bin") == DATA
    missing = api3.call("PATCH", "path/data", "/docs/none", body=b"x", headers={"Range": "bytes=0-"})
    assert missing.json()["status"] == 404


def test_a_broken_patch_can_be_gone_on_with(server: LocalServer, api3: wire.Api) -> None:
    server.smartfile.write("/docs/a.bin")
    fault = server.fault("smartfile", "PATCH *", "reset-after 100000")
    with pytest.raises(ConnectionError):
        api3.call("PATCH", "path/data", "/docs/a.bin", body=DATA, headers={"Range": "bytes=0-"})
    assert fault.fired == 1
    size = api3.call("HEAD", "path/data", "/docs/a.bin").headers["Content-Length"]
    assert size == "100000"
    api3.call("PATCH", "path/data", "/docs/a.bin", body=DATA[100_000:], headers={"Range": "bytes=100000-"})
    assert server.smartfile.read("/docs/a.bin") == DATA


def test_delete(server: LocalServer, api3: wire.Api) -> None:
    server.smartfile.write("/docs/a.bin")
    reply = api3.delete("path/data", "/docs/a.bin")
    assert (reply.status, reply.body) == (204, b"")
    assert [api3.delete("path/data", path).status for path in ("/docs/a.bin", "/docs")] == [404, 400]
    assert wire.Api(server.smartfile).delete("path/data", "/docs").status == 405


@pytest.mark.slow
@pytest.mark.parametrize("way", ["form", "put"])
def test_no_file_is_held_in_memory(server: LocalServer, api: wire.Api, way: str) -> None:
    count, block = 64, b"m" * (1 << 20)
    body, headers = wire.multipart(("file", "big.bin", b"@"))
    head, tail = body.split(b"@")

    def form() -> Iterator[bytes]:
        yield head
        for _ in range(count):
            yield block
        yield tail

    tracemalloc.start()
    try:
        if way == "form":
            length = str(len(head) + len(tail) + count * len(block))
            api.call("POST", "path/data", "/docs", body=form(), headers={**headers, "Content-Length": length})
        else:
            three = wire.Api(server.smartfile, "3")
            three.call("PUT", "path/data", "/docs/big.bin", body=(block for _ in range(count)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert server.smartfile.files() == {"/docs/big.bin": count << 20}
    assert peak < 8 << 20
