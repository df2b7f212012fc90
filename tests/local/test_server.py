"""The local server: addresses, start and stop, and remaining data."""

import gc
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from smartxfer.errors import UsageError
from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire
from tests.support.local.server_process import served

DATA = bytes(place % 251 for place in range(300_000))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org", ""])
def test_it_binds_nothing_but_loopback(host: str) -> None:
    with pytest.raises(UsageError, match="loopback"):
        LocalServer(host=host)


def test_other_addresses_with_allow_remote(tmp_path: Path) -> None:
    with LocalServer(host="0.0.0.0", allow_remote=True) as server:
        port = server.filesender.listener.port
        reply = wire.request(f"http://127.0.0.1:{port}", "GET", "/rest.php/info")
        assert reply.status == 200


def test_a_port_in_use_is_a_usage_error(server: LocalServer) -> None:
    with pytest.raises(UsageError, match="cannot listen"):
        LocalServer(filesender={"port": server.filesender.listener.port})


@pytest.mark.parametrize(
    ("service", "options", "expected"),
    [
        ("filesender", {"prot": 1}, "no such FileSender option: prot .write 'port'"),
        ("filesender", {"port": -1}, "port must be a whole number"),
        ("filesender", {"port": "x"}, "port must be a whole number"),
        ("filesender", {"upload_chunk_size": 0}, "upload_chunk_size must be above 0"),
        ("filesender", {"users": []}, "users: at least one"),
        ("filesender", {"chunk_security": "none"}, "chunk_security must be one of key, auth"),
        ("filesender", {"version": "1.6"}, r"version must be one of 3\.8, 2\.67"),
        ("filesender", {"valid_filename_regex": "["}, "invalid regular expression"),
        ("filesender", {"encryption_key_version": 4}, "encryption_key_version"),
        ("filesender", {"encryption_iterations": 0}, "encryption_iterations"),
        ("smartfile", {"prot": 1}, "no such SmartFile option: prot .write 'port'"),
        ("smartfile", {"port": -1}, "port must be a whole number"),
        ("smartfile", {"page_size": 0}, "page_size must be above 0"),
        ("smartfile", {"users": []}, "users: at least one"),
        ("smartfile", {"upload_answer": "list"}, "upload_answer must be one of array, object"),
        ("smartfile", {"api_key": "a:b"}, "api_key must be ASCII text"),
        ("smartfile", {"time_zone": "Nowhere/None"}, "time_zone"),
        ("nrp", {"users": {"ann": "two words"}}, "token of ann"),
        ("nrp", {"models": ("Data sets",)}, "models"), ("nrp", {"models": ("user",)}, "models"),
        ("nrp", {"models": ()}, "models"), ("nrp", {"rate_window": 0}, "rate_window"),
        ("nrp", {"storage": "tape"}, "storage must be one of"),
        ("jetstream", {"users": {}}, "users: at least one"),
        ("jetstream", {"superusers": ["who"]}, "'who' is not a user"),
        ("jetstream", {"groups": {"g": ["who"]}}, "'who' is not a user"),
        ("jetstream", {"rate": -1}, "rate must be"),
        ("jetstream", {"after_restart": "x"}, "one of continue, suspend"),
        ("jetstream", {"wait_ceiling": "1"}, "must be"),
        ("jetstream", {"colour": 1}, "no such JetStream option: colour"),
        ("jetstream", {"root": __file__}, "root: "),
        ("smartfiles", {}, "unknown service: smartfiles .pass one or more of: filesender, smartfile"),
    ],
)  # fmt: skip
def test_invalid_options(service: str, options: Any, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        LocalServer(**{service: options})


def test_nothing_is_left_behind() -> None:
    threads, descriptors = set(threading.enumerate()), open_files()
    server = LocalServer()
    data = server.data
    server.start()
    site = wire.Site(server.filesender)
    site.send("a.bin", DATA)
    fault = server.fault("filesender", "GET /rest.php/info", "stall")
    idle = socket.create_connection(("127.0.0.1", server.filesender.listener.port))
    held = socket.create_connection(("127.0.0.1", server.filesender.listener.port))
    held.sendall(b"GET /rest.php/info HTTP/1.1\r\n\r\n")
    assert fault.wait(5)
    server.stop()
    # Both ends of the two connections are closed now.
    assert idle.recv(1) == b""
    assert held.recv(1) == b""
    idle.close()
    held.close()
    # Threads of other tests may end in the meantime.
    assert set(threading.enumerate()) <= threads
    assert open_files() <= descriptors
    assert not os.path.exists(data)
    with pytest.raises(ConnectionRefusedError):
        site.bare("GET", "/rest.php/info")
    server.stop()


def test_stopped_without_a_start(tmp_path: Path) -> None:
    descriptors = open_files()
    LocalServer(tmp_path / "data").stop()
    assert open_files() <= descriptors
    assert (tmp_path / "data" / "filesender").is_dir()


def test_a_failed_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for data in ((), (tmp_path / "data",)):
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(UsageError):
            LocalServer(*data, smartfile={"nonsense": 1})
    LocalServer(tmp_path / "data").stop()


def open_files() -> int:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc to count descriptors in")
    gc.collect()  # what other tests have left to it
    return len(os.listdir("/proc/self/fd"))


def test_export(tmp_path: Path) -> None:
    path = tmp_path / "env.sh"
    users = {"o'hara@example.org": "k'3y"}
    with LocalServer(export=path, filesender={"users": users}) as server:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        names = list(server.env)
        shown_names = " ".join(f'"${name}"' for name in names)
        script = f". '{path}'; printf '%s\\n' {shown_names}"
        shown = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        assert shown.stdout.splitlines() == list(server.env.values())
        assert server.filesender.env["FILESENDER_BASE_URL"] == server.filesender.url
    line = re.compile("export (FILESENDER|SMARTFILE|NRP|PERSEUS|JETSTREAM)_.*='")
    assert all(map(line.match, path.read_text("utf-8").splitlines()))


def test_links_have_no_place_in_the_data(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "filesender").mkdir()
    (tmp_path / "real" / "filesender" / "metadata.sqlite").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").touch()
    for name, words in (("link", "symbolic link"), ("real", "symbolic link"), ("file", "not a directory")):
        with pytest.raises(UsageError, match=words):
            LocalServer(tmp_path / name)


def test_names_never_become_paths(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "data") as server:
        site = wire.Site(server.filesender)
        site.send("../../escaped.txt", DATA)
        site.send("a/b/c.txt", DATA)
    objects = tmp_path / "data" / "filesender" / "objects"
    assert all(path.name.isdigit() for path in objects.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_it_survives_a_kill(tmp_path: Path) -> None:
    attributes = "url api_key username"
    with served(tmp_path / "data", "filesender", attributes) as first:
        site = wire.Site(first)
        whole = site.send("whole.bin", DATA)
        half = site.create([("half.bin", len(DATA))])
        file = wire.real_files(half)[0]
        assert site.chunk(half, file, 0, DATA[:100_000]).status == 200
        guest = site.call("POST", "/rest.php/guest", {"recipient": "g@example.net"}).json()
    with served(tmp_path / "data", "filesender", attributes) as second:
        assert second.api_key == first.api_key
        site = wire.Site(second)
        assert site.fetch(whole).body == DATA
        # Unfinished work continues with the same tokens.
        assert site.chunk(half, file, 100_000, DATA[100_000:]).status == 200
        site.complete(half)
        assert site.fetch(half).body == DATA
        known = site.call("GET", "/rest.php/guest/{}".format(guest["id"])).json()
        assert known["token"] == guest["token"]


def test_many_requests_on_one_connection(server: LocalServer) -> None:
    """The connection is kept after responses, errors and unread bodies."""
    with socket.create_connection(("127.0.0.1", server.filesender.listener.port), 10) as raw:
        reader = raw.makefile("rb")
        for body in (b"", b"x" * 100_000, b"y"):
            head = "PUT /rest.php/file/1/chunk/0?key=k HTTP/1.1\r\nContent-Length: {}\r\n\r\n"
            raw.sendall(head.format(len(body)).encode() + body)
            assert reader.readline() == b"HTTP/1.1 500 Internal Server Error\r\n"
            length = 0
            for line in iter(reader.readline, b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert b"file_not_found" in reader.read(length)
        reader.close()


@pytest.mark.parametrize(
    "text", [b"nonsense\r\n\r\n", b"GET x HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nbad\r\n\r\n",
             b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"GET /" + b"x" * 70000],
)  # fmt: skip
def test_what_is_not_http(server: LocalServer, text: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.filesender.listener.port), 10) as raw:
        raw.sendall(text)
        assert raw.recv(64).startswith(b"HTTP/1.1 400 ")


def test_expect_and_chunked_bodies(server: LocalServer, site: wire.Site) -> None:
    transfer = site.create([("a.bin", 10)])
    target = wire.chunk_target(transfer, wire.real_files(transfer)[0], 0)
    with socket.create_connection(("127.0.0.1", server.filesender.listener.port), 10) as raw:
        raw.sendall(
            f"PUT {target} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n"
            "X-Filesender-Chunk-Size: 10\r\n\r\n".encode()
        )
        assert raw.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        raw.sendall(b"4\r\n0123\r\n6;x=y\r\n456789\r\n0\r\nTrailer: z\r\n\r\n")
        assert raw.recv(15) == b"HTTP/1.1 200 OK"
    site.complete(transfer)
    assert site.fetch(transfer).body == b"0123456789"


def test_memory_and_speed_are_sane(server: LocalServer, site: wire.Site) -> None:
    """A sparse file of 512 MiB is sent without loading it into memory."""
    import resource

    transfer = site.create([("big.bin", 512 << 20)])
    file = wire.real_files(transfer)[0]
    assert site.chunk(transfer, file, (512 << 20) - 1, b"\1").status == 200
    site.complete(transfer)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with socket.create_connection(("127.0.0.1", server.filesender.listener.port), 10) as raw:
        target = wire.download_target(transfer)
        raw.sendall(f"GET {target} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
        buffer, got, last = bytearray(1 << 20), 0, b""
        while True:
            count = raw.recv_into(buffer)
            if not count:
                break
            got, last = got + count, bytes(buffer[count - 1 : count])
    assert got > 512 << 20
    assert last == b"\1"
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 32 << 10


def test_only_the_services_that_are_wanted_run() -> None:
    with LocalServer(services=["perseus", "nrp"], nrp={"rate_limit": 7}) as server:
        assert list(server.services) == ["nrp", "perseus"]
        assert set(server.env) == {*server.nrp.env, *server.perseus.env}
        assert not hasattr(server, "nonsense")
        with pytest.raises(AttributeError, match="does not run filesender: name it in services="):
            _ = server.filesender
        with pytest.raises(UsageError, match="pass one of: nrp, perseus"):
            server.fault("filesender", "GET *", "stall")


@pytest.mark.parametrize(
    ("services", "message"),
    [
        ("nrp", "must be a list of names"),
        ([], "services is an empty list"),
        (["nrq"], "unknown service: nrq"),
        (["nrp"], "leaves out filesender, which has options"),
    ],
)
def test_services_that_cannot_run(services: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LocalServer(services=services, filesender={})


KILLED = """
import os, signal
from smartxfer.local import LocalServer
server = LocalServer(smartfile={})
server.smartfile.write("/a", b"data")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no flock")
def test_the_data_of_a_killed_server_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next server removes the data of a killed server, and nothing else."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", KILLED]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    [left] = os.listdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    theirs = tmp_path / "smartxfer-local-abcdefgh"
    theirs.mkdir()
    (theirs / "file").write_bytes(b"mine")
    (tmp_path / "smartxfer-local-12345678").symlink_to(theirs)
    with LocalServer(smartfile={}) as one:
        with LocalServer(smartfile={}) as two:
            assert (Path(one.data).is_dir(), Path(two.data).is_dir()) == (True, True)
        assert left not in os.listdir(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["smartxfer-local-12345678", "smartxfer-local-abcdefgh"]
    assert (theirs / "file").read_bytes() == b"mine"
