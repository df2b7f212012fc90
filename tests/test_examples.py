"""Every example runs unchanged against the local server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from smartxfer import FileSenderClient, UserAuth
from smartxfer.local import LocalServer

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
CHUNKS = "PUT /rest.php/file/*/chunk/*"
MEBI = 1 << 20


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer(filesender={"upload_chunk_size": MEBI}) as running:
        yield running


@pytest.fixture
def files(tmp_path: Path) -> List[str]:
    """A file of several chunks, and a directory with one in it."""
    large = tmp_path / "reads.bin"
    large.write_bytes(os.urandom(5 * MEBI + 7))
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "table.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    return [str(large), str(tmp_path / "results")]


def start(name: str, *words: str, env: Dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(EXAMPLES / name), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={**os.environ, **env},
    )


def run(name: str, *words: str, env: Dict[str, str]) -> str:
    """Standard output of an example that ends well."""
    process = start(name, *words, env=env)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "Traceback" not in err
    return out


def fails(name: str, *words: str, env: Dict[str, str]) -> str:
    """Standard error of an example that ends with an error, without a traceback."""
    process = start(name, *words, env=env)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in err
    return err


def contents(server: LocalServer, token: str) -> Dict[str, bytes]:
    """Return the stored files of the transfer with a token, by name."""
    site = server.filesender
    [transfer] = [one for one in site.transfers() if token in [person["token"] for person in one["recipients"]]]
    assert transfer["status"] == "available"
    return {file["name"]: Path(site.stored(file["id"])).read_bytes() for file in transfer["files"]}


def sent(files: List[str]) -> Dict[str, bytes]:
    """Return the files that should be stored."""
    table = Path(files[1]) / "table.csv"
    return {"reads.bin": Path(files[0]).read_bytes(), "results/table.csv": table.read_bytes()}


def token_in(text: str) -> str:
    found = re.search(r"token=([0-9a-z-]{36})", text)
    assert found, text
    return found.group(1)


def test_every_example_is_run_here() -> None:
    here = Path(__file__).read_text("utf-8")
    names = sorted(path.name for path in EXAMPLES.glob("*.py"))
    assert len(names) >= 4
    assert [name for name in names if f'"{name}"' not in here] == []


def test_send_files(server: LocalServer, files: List[str]) -> None:
    out = run("send_files.py", "them@example.org", *files, env=server.env)
    [mail] = [mail for mail in server.filesender.mails if mail["to"] == "them@example.org"]
    assert contents(server, mail["token"]) == sent(files)
    assert "reads.bin  5242887 bytes" in out


def test_send_link(server: LocalServer, files: List[str]) -> None:
    out = run("send_link.py", *files, env=server.env)
    assert contents(server, token_in(out)) == sent(files)


def test_download(server: LocalServer, files: List[str], tmp_path: Path) -> None:
    site = server.filesender
    with FileSenderClient(site.url, auth=UserAuth(site.username, site.api_key)) as client:
        url = client.upload_workflow([Path(path) for path in files], link=True).download_url
    assert url is not None
    run("download.py", url, str(tmp_path / "out"), env={})
    fetched = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path / "out").as_posix(): path.read_bytes() for path in fetched} == sent(files)


def test_guest_upload(server: LocalServer, files: List[str]) -> None:
    site = server.filesender
    with FileSenderClient(site.url, auth=UserAuth(site.username, site.api_key)) as client:
        guest = client.create_guest({"from": site.username, "recipient": "guest@example.net"})
    out = run("guest_upload.py", guest.upload_url, *files, env={})
    assert "sent 2 files" in out
    [transfer] = site.transfers()
    assert (transfer["status"], transfer["message"]) == ("available", "As you asked")


def test_resume_upload(server: LocalServer, files: List[str]) -> None:
    site = server.filesender
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # children inherit an ignored one
    try:
        held = server.fault("filesender", CHUNKS, "stall", times=2, after=3)
        process = start("resume_upload.py", files[0], env=server.env)
        assert held.wait(30)
        wait_for_chunks(site, 3)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    finally:
        signal.signal(signal.SIGINT, before)
        process.kill()
    assert process.returncode == 130
    assert "run the same command again to resume" in err
    server.clear_faults()
    out = run("resume_upload.py", files[0], env=server.env)
    assert contents(server, token_in(out)) == {"reads.bin": Path(files[0]).read_bytes()}
    found = re.search(r"\((\d+) bytes from an earlier run", out)
    assert found is not None
    assert int(found.group(1)) >= 2 * MEBI
    assert len(site.transfers()) == 1


def wait_for_chunks(site: Any, count: int) -> None:
    import time

    ends_at = time.monotonic() + 30
    while site.count(CHUNKS, status=200) < count:
        assert time.monotonic() < ends_at
        time.sleep(0.02)


def test_progress_callback(server: LocalServer, files: List[str]) -> None:
    out = run("progress_callback.py", *files, env=server.env)
    assert contents(server, token_in(out)) == sent(files)
    assert "reads.bin: 100 % (done)" in out
    assert "results/table.csv: 100 % (done)" in out


@pytest.mark.parametrize("name", ["send_files.py", "send_link.py", "resume_upload.py"])
def test_a_failure_is_one_line(files: List[str], name: str) -> None:
    words = ["them@example.org", files[1]] if name == "send_files.py" else [files[1]]
    assert "FILESENDER_BASE_URL" in fails(name, *words, env={})


def test_smartfile_tree(server: LocalServer, files: List[str]) -> None:
    out = run("smartfile_tree.py", files[1], "/run1", env=server.env)
    assert server.smartfile.read("/run1/table.csv") == (Path(files[1]) / "table.csv").read_bytes()
    assert "/run1/table.csv  8 bytes" in out


def test_smartfile_sync(server: LocalServer, files: List[str]) -> None:
    server.smartfile.mkdir("/backup")
    path = Path(files[0])
    assert ": plain," in run("smartfile_sync.py", str(path), "/backup/reads.bin", env=server.env)
    path.write_bytes(b"x" + path.read_bytes())
    assert ": delta," in run("smartfile_sync.py", str(path), "/backup/reads.bin", env=server.env)
    assert server.smartfile.read("/backup/reads.bin") == path.read_bytes()


def test_nrp_deposit(server: LocalServer, files: List[str]) -> None:
    site = server.nrp
    out = run("nrp_deposit.py", "Reads of run 1", *files, env=server.env)
    [draft] = site.drafts()
    assert site.read(draft, "reads.bin") == Path(files[0]).read_bytes()
    assert sorted(site.files(draft)) == ["reads.bin", "results/table.csv"]
    assert "reads.bin  5242887 bytes, md5:" in out
    run("nrp_deposit.py", "--publish", "Reads of run 2", files[0], env=server.env)
    [published] = site.published()
    assert site.files(published) == {"reads.bin": 5242887}


def test_nrp_sync(server: LocalServer, files: List[str]) -> None:
    site = server.nrp
    draft = site.create({"table.csv": b"old"})
    assert "0 sent, 1 replaced, 0 unchanged" in run("nrp_sync.py", draft, files[1], env=server.env)
    assert "0 sent, 0 replaced, 1 unchanged" in run("nrp_sync.py", draft, files[1], env=server.env)
    assert site.read(draft, "table.csv") == (Path(files[1]) / "table.csv").read_bytes()


def test_nrp_download(server: LocalServer, tmp_path: Path) -> None:
    site = server.nrp
    record = site.create({"dir/a b.txt": b"ACGT", "b.csv": b"1,2"}, published=True)
    out = run("nrp_download.py", record, str(tmp_path / "out"), env={"NRP_REPOSITORY_URL": site.url})
    assert (tmp_path / "out" / "dir" / "a b.txt").read_bytes() == b"ACGT"
    assert (tmp_path / "out" / "b.csv").read_bytes() == b"1,2"
    assert out.count("verified by md5") == 2


def test_perseus_upload(server: LocalServer, files: List[str]) -> None:
    site = server.perseus
    assert run("perseus_upload.py", *files, env=server.env).count(", sent") == 2
    contents = {record["name"]: site.content(record["id"]) for record in site.records()}
    assert contents == {"reads.bin": Path(files[0]).read_bytes(), "table.csv": b"a,b\n1,2\n"}
    assert run("perseus_upload.py", *files, env=server.env).count(", already stored") == 2


@pytest.mark.slow
def test_perseus_upload_repairs(server: LocalServer, tmp_path: Path) -> None:
    """Slow: the example waits for the seconds in which another client may end that upload."""
    site = server.perseus
    stuck = site.write("notes.txt", b"never sent", status="pending")
    notes = tmp_path / "notes.txt"
    notes.write_bytes(b"never sent")
    assert "notes.txt, sent" in run("perseus_upload.py", "--repair", str(notes), env=server.env)
    assert stuck not in [record["id"] for record in site.records()]


def test_jetstream_send(server: LocalServer) -> None:
    near, far = server.jetstream, server.jetstream_peer
    content = os.urandom(300_007)
    near.write("/run1/deep/reads.bin", content)
    near.write("/notes.txt", b"a,b\n")
    to = server.env["JETSTREAM_PEER_HOST"]
    out = run("jetstream_send.py", "--into", "/in", to, "/run1", "/notes.txt", env=server.env)
    assert "is complete: 300011 bytes" in out
    assert far.read("/in/run1/deep/reads.bin") == content
    assert far.files() == {"/in/notes.txt": 4, "/in/run1/deep/reads.bin": 300_007}


def test_jetstream_send_without_what_it_should(server: LocalServer) -> None:
    to = server.env["JETSTREAM_PEER_HOST"]
    assert "/not-there" in fails("jetstream_send.py", to, "/not-there", env=server.env)
