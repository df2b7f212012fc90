"""``smartxfer demo``."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any, Dict, List

import pytest

from smartxfer.cli.exit_codes import get_exit_code
from smartxfer.cli.server_options import plan_fault
from smartxfer.demo.files import DemoFiles, find_differences, make_files
from smartxfer.demo.jetstream import run_jetstream_demo
from smartxfer.demo.nrp import NRP_OPTIONS, run_nrp_demo
from smartxfer.demo.perseus import run_perseus_demo
from smartxfer.demo.table import Row, format_json, format_table
from smartxfer.errors import SmartxferError
from smartxfer.local import LocalServer
from tests.support.amounts import EVERY


def rows_of(out: str) -> List[Dict[str, str]]:
    lines = out.splitlines()
    [at] = [number for number, line in enumerate(lines) if line.startswith("service ")]
    titles = re.split(r"\s{2,}", lines[at].strip())
    return [dict(zip(titles, re.split(r"\s{2,}", line.strip()))) for line in lines[at + 1 :]]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of temporary directories."""
    import tempfile

    directory = tmp_path / "tmp"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


def test_the_table_of_generated_files(run: Any, temporary: Path, home: Path) -> None:
    done = run("demo", "--size", "2M").works()
    rows = rows_of(done.out)
    columns = ["service", "files", "bytes", "MB/s up", "MB/s down", "retries", "resumed", "saved", "verified"]
    assert [list(row) for row in rows] == [columns] * 5
    assert [row["service"] for row in rows] == ["FileSender", "SmartFile", "NRP", "Perseus", "JetStream"]
    assert {(row["files"], row["verified"], row["retries"], row["bytes"]) for row in rows} == {
        ("7", "sha256", "1", rows[0]["bytes"])
    }
    filesender, smartfile, nrp, perseus, jetstream = rows
    assert [filesender["saved"], nrp["saved"], jetstream["saved"]] == ["-"] * 3
    # A hundredth changed; the signature and the blocks that it lies in travel as well.
    assert number(smartfile["saved"]) >= (2 << 20) * 9 // 10
    # The second run of Perseus sent nothing.
    assert (perseus["resumed"], perseus["MB/s down"]) == (perseus["bytes"], "-")
    # A part of NRP has at least 5 MiB, so an interrupted part cannot be resumed.
    assert nrp["resumed"] == "0"
    assert number(jetstream["resumed"]) >= (2 << 20) // 4
    assert number(filesender["bytes"]) > 2 << 20
    # Half of the chunks were acknowledged when it was interrupted; two may have been under way.
    assert number(filesender["resumed"]) >= (2 << 20) * 6 // 16
    assert min(float(filesender["MB/s up"]), float(filesender["MB/s down"])) > 0
    for said in (
        "breaks once on purpose", "interrupted half-way on purpose", "a delta was sent",
        "7 of 7 are known by their SHA-256", "suspended on purpose",
        "createTransfer was called 2 times with the same id; transfers created: 1",
    ):
        assert said in done.err
    # Nothing is left behind, and the user's own state was not touched.
    assert [list(temporary.iterdir()), list(home.iterdir())] == [[], []]
    assert os.environ["SMARTXFER_STATE_DIR"] == str(home / "state")


def test_generated_files_are_awkward(tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    sent.mkdir()
    plan = DemoFiles.from_paths(make_files(sent, 3 << 20), tmp_path)
    sizes = plan.sizes
    assert 0 in sizes
    assert 1 in sizes
    assert 3 << 20 in sizes
    assert any(not name.isascii() for name in plan.sources)
    assert any("/" in name for name in plan.sources)
    large = (sent / "large.bin").read_bytes()
    assert len({large[at : at + 4096] for at in range(0, len(large), 4096)}) == len(large) // 4096


def test_the_users_own_files(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"a" * 100)
    single = tmp_path / "b.bin"
    single.write_bytes(b"b" * 300_000)
    done = run("demo", str(folder), str(single)).works()
    for row in rows_of(done.out):
        assert (row["files"], row["bytes"], row["verified"]) == ("2", "300,100", "sha256")
    assert single.read_bytes() == b"b" * 300_000


@pytest.mark.parametrize("content", [b"", b"x", b"xyz"])
def test_files_too_short_to_break(run: Any, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "short.txt"
    path.write_bytes(content)
    done = run("demo", str(path)).works()
    assert [row["verified"] for row in rows_of(done.out)] == ["sha256"] * 5
    assert "did not take effect" not in done.err
    assert path.read_bytes() == content


#: Faults -> exit codes, the place of the row that shows it, its result, what is said.
FAILURES = {
    "filesender GET /download.php* flip 1000 times=1": ((6,), 0, "DIFFERS", "differs or is missing"),
    "filesender PUT /rest.php/file/*/chunk/* flip-in 9000": ((6,), 0, "DIFFERS", ""),
    "filesender GET / status 403 body=json:rest_ownership_required times=always": ((4,), 0, "FAILED", "smartxfer: "),
    # Seven files fail.
    "smartfile POST /api/2/path/data/* status 403 body=json:no times=always": ((7,), 1, "FAILED", ""),
    "smartfile GET /api/2/path/data/demo/large.bin/ flip 300000": (
        (6,), 1, "DIFFERS", "SmartFile: large.bin differs or is missing",
    ),
    "nrp POST /api/records status 403 body=json:no times=always": ((4,), 2, "FAILED", ""),
    # The MD5 of a file is compared before the file gets its name.
    "nrp GET /api/records/*/files/large.bin/content flip 300000 times=always": ((6, 7), 2, "FAILED", ""),
}


@pytest.mark.parametrize("fault", FAILURES)
def test_a_failure_of_one_service(run: Any, fault: str) -> None:
    codes, place, result, said = FAILURES[fault]
    done = run("demo", "--size", "1M", "--fault", fault)
    assert done.exit_code in codes
    verified = [row["verified"] for row in rows_of(done.out)]
    assert verified == ["sha256"] * place + [result] + ["sha256"] * (4 - place)
    assert said in done.err
    assert "Traceback" not in done.err


def a_plan(directory: Path, **files: bytes) -> DemoFiles:
    """Return the plan of a demo with these files."""
    (directory / "in").mkdir()
    (directory / "out").mkdir()
    for name, data in files.items():
        (directory / "in" / name).write_bytes(data)
    return DemoFiles.from_paths([directory / "in"], directory / "out")


@pytest.mark.parametrize(
    ("run_demo", "options", "fault", "code"),
    [
        (run_perseus_demo, {}, "perseus POST /api/v0/file/find status 403 body=json:no times=always", 4),
        (run_perseus_demo, {}, "perseus PUT /storage/* flip-in 9000 times=always", 1),
        (run_jetstream_demo, {"jetstream": {"licensed": False}}, "", 4),
    ],
)
def test_an_error_of_one_service(run_demo: Any, options: Any, fault: str, code: int, tmp_path: Path) -> None:
    files = a_plan(tmp_path, large=os.urandom(20_000))
    with LocalServer(**options) as server:
        if fault:
            plan_fault(server, fault)
        with pytest.raises(SmartxferError) as caught:
            run_demo(server, files, str)
    assert get_exit_code(caught.value) == code


def test_a_file_that_the_fifth_service_spoilt(tmp_path: Path) -> None:
    """Fails if the sent bytes are compared instead of the downloaded bytes."""
    files = a_plan(tmp_path, **{"a b.txt": b"x" * 1000, "ø.txt": b"x" * 1000})
    with LocalServer() as server:
        far = server.jetstream_peer

        def said(line: str) -> None:
            if "sends the files back" in line:
                far.write("/demo/in/ø.txt", b"y" * 1000)

        row = run_jetstream_demo(server, files, said)
        assert server.unfired() == []
        assert row.bytes == 2000 == sum(far.files().values())
    # Too little to be suspended on its way.
    assert (row.verified, row.differing, row.resumed, row.retries) == ("DIFFERS", ["in/ø.txt"], 0, 1)


def test_contents_that_are_twice_there(tmp_path: Path) -> None:
    files = a_plan(tmp_path, a=b"x" * 1000, b=b"x" * 1000)
    with LocalServer() as server:
        row = run_perseus_demo(server, files, str)
        assert (server.unfired(), len(server.perseus.records())) == ([], 1)
    assert (row.verified, row.files, row.resumed, row.down_seconds) == ("sha256", 2, 2000, None)


def test_without_librsync_the_whole_file_is_sent(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartxfer.delta.available", lambda: False)
    done = run("demo", "--size", "1M").works()
    assert "the complete file was sent, because librsync is not installed" in done.err
    assert rows_of(done.out)[1]["saved"] == "0"


def test_files_in_several_places_under_one_root(run: Any, tmp_path: Path) -> None:
    for folder, name in (("one", "æ #1 50%.txt"), ("two/inner", "ø %41 b.txt")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).write_text(folder * 1000, encoding="utf-8")
    done = run("demo", str(tmp_path / "one" / "æ #1 50%.txt"), str(tmp_path / "two")).works()
    assert [(row["files"], row["verified"]) for row in rows_of(done.out)] == [("2", "sha256")] * 5
    assert "did not take effect" not in done.err


def test_debug_shows_where(run: Any) -> None:
    fault = "filesender GET / status 403 body=json:rest_ownership_required times=always"
    done = run("--debug", "demo", "--size", "1M", "--fault", fault)
    assert (done.exit_code, "Traceback" in done.err) == (4, True)


def test_a_fault_that_did_not_fire_is_named(run: Any) -> None:
    done = run("demo", "--size", "100K", "--fault", "filesender GET /nowhere reset-before").works()
    assert "did not take effect: <Fault filesender 'GET /nowhere'" in done.err


def test_json_is_a_line_for_each_service(launch: Any) -> None:
    running = launch("demo", "--size", "1M", "--json")
    out, _ = running.process.communicate(timeout=60)
    assert running.process.returncode == 0
    rows = list(map(json.loads, out.decode("utf-8").splitlines()))
    assert [(row["service"], row["verified"], row["differing"], row["retries"]) for row in rows] == [
        (service, "sha256", [], 1) for service in ("FileSender", "SmartFile", "NRP", "Perseus", "JetStream")
    ]
    filesender, smartfile, nrp, perseus, jetstream = rows
    assert min(filesender["resumed"], smartfile["saved"], jetstream["resumed"]) > 0
    assert (nrp["resumed"], perseus["mb_s_down"]) == (0, None)
    assert not {"saved"} & {*filesender, *nrp}


def test_an_upload_in_parts_is_interrupted_and_resumed(tmp_path: Path) -> None:
    files, statuses = a_plan(tmp_path, large=os.urandom(24 << 20)), []
    with LocalServer(services=["nrp"], nrp=NRP_OPTIONS) as server:
        row = run_nrp_demo(server, files, statuses.append)
        assert server.unfired() == []
        [published] = server.nrp.published()
    assert f"NRP: record {published} is published; downloading the files" in statuses
    # Two of five parts were acknowledged when it was interrupted.
    assert (row.resumed, row.retries, row.verified) == (2 * (5 << 20), 1, "sha256")


def test_sizes_are_checked(run: Any) -> None:
    run("demo", "--size", "64Q").fails(2, "not a number of bytes")


def test_two_files_of_one_name(run: Any, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.txt").write_text(name, encoding="utf-8")
    done = run("demo", str(tmp_path / "one" / "x.txt"), str(tmp_path / "two" / "x.txt"))
    assert done.exit_code == 2
    assert "two files are named 'x.txt'" in done.err


#: Services, and what is slowed down so that a signal comes while files are sent.
SENDING = {
    "FileSender": "filesender PUT /rest.php/file/*/chunk/*", "SmartFile": "smartfile POST /api/2/path/data/*",
    "NRP": "nrp PUT /api/records/*/draft/files/*", "Perseus": "perseus PUT /storage/*",
    "JetStream": "jetstream POST /jsonrpc/send.waitForTransfer",
}


def _signals() -> List[Any]:
    """Return each service with each signal; in an ordinary run the signals take turns."""
    return [
        pytest.param(service, slow, number, code, id=f"{service}-{number.name}", marks=[pytest.mark.slow] if at > 1 else [])
        for at, (service, slow) in enumerate(SENDING.items())
        for turn, (number, code) in enumerate([(signal.SIGINT, 130), (signal.SIGTERM, 143)])
        if EVERY or (at + turn) % 2 == 0
    ]


@pytest.mark.parametrize(("service", "slow", "number", "code"), _signals())
def test_signals_end_it_and_leave_nothing(
    launch: Any, tmp_path: Path, service: str, slow: str, number: int, code: int
) -> None:
    running = launch("demo", "--size", "1M", "--fault", f"{slow} rate 64K times=always")
    stderr = running.process.stderr
    assert stderr is not None
    seen = b""
    while f"{service}: sending 7 files".encode() not in seen:
        piece = os.read(stderr.fileno(), 4096)
        assert piece, seen
        seen += piece
    running.ends(number, code, seconds=3.0)
    assert os.listdir(tmp_path / "tmp") == []


def test_differences(tmp_path: Path) -> None:
    sent, out = tmp_path / "sent", tmp_path / "out"
    for directory in (sent, out):
        directory.mkdir()
        for name in ("same", "changed"):
            (directory / name).write_text(name, encoding="utf-8")
    (out / "changed").write_text("another", encoding="utf-8")
    (sent / "lost").write_text("lost", encoding="utf-8")
    (out / "extra").write_text("extra", encoding="utf-8")
    plan = DemoFiles.from_paths(sorted(sent.iterdir()), out)
    assert find_differences(plan) == ["changed", "lost", "extra"]


def test_columns_are_aligned() -> None:
    rows = [
        Row("FileSender", 7, 67_000_000, 0.5, 0.1, 1, 33_000_000),
        Row("X", 12, 5, saved=4_000, differing=["a"]),
    ]
    lines = format_table(rows)
    assert lines == [
        "service     files       bytes  MB/s up  MB/s down  retries     resumed  saved  verified",
        "FileSender      7  67,000,000    134.0      670.0        1  33,000,000      -  sha256",
        "X              12           5      0.0        0.0        0           0  4,000  DIFFERS",
    ]
    assert json.loads(format_json(rows[0]))["mb_s_up"] == 134.0
    assert json.loads(format_json(rows[1]))["saved"] == 4_000
