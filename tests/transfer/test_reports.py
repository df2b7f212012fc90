"""The result of one file, and the reports of several: like a list of results, with sums."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Iterator

import attrs
import pytest

import smartxfer
from smartxfer import FileResult, SyncReport, TransferReport
from smartxfer.errors import BatchError, NetworkError, UnsafeName
from smartxfer.local import LocalServer
from smartxfer.transfer.result import raise_for_errors

GOOD = FileResult("a", bytes=4, seconds=1.0)
BAD = FileResult("b", bytes=9, error=UnsafeName("no"))


def test_a_report_is_like_a_list_of_its_results() -> None:
    report = TransferReport([GOOD, BAD], seconds=0.5)
    assert report == [GOOD, BAD] == report
    for other in ([GOOD], (GOOD, BAD), TransferReport([BAD, GOOD])):
        assert report != other
    assert (report[1], report[-2], len(report), GOOD in report) == (BAD, GOOD, 2, True)
    assert (type(report[:1]), report[:1]) == (list, [GOOD])
    assert list(report) == [*report] == [GOOD, BAD]
    assert [one.name for one in reversed(report)] == ["b", "a"]
    assert not TransferReport()
    assert TransferReport() == []
    with pytest.raises(TypeError):
        hash(report)


def test_the_sums_of_a_report() -> None:
    report = TransferReport([GOOD, BAD], seconds=0.5)
    assert (report.ok, report.failed, report.bytes, report.seconds) == (False, [BAD], 4, 0.5)
    assert TransferReport([GOOD]).ok
    assert TransferReport([GOOD]).failed == []
    assert repr(report) == "TransferReport(files=2, bytes=4, failed=1)"
    assert repr(TransferReport()) == "TransferReport()"


def test_reports_pickle_and_travel_with_errors() -> None:
    report = TransferReport([GOOD], seconds=0.5)
    again = pickle.loads(pickle.dumps(report))
    assert (again, again.seconds) == (report, 0.5)
    error = pickle.loads(pickle.dumps(BatchError("some", results=report)))
    assert (error.results, type(error.results)) == (report, TransferReport)


def test_what_a_service_has_is_not_compared_and_a_link_is_not_shown() -> None:
    linked = FileResult("a", bytes=4, seconds=1.0, item=object(), url="https://example.org/?token=s3cret")
    assert (linked, repr(linked)) == (GOOD, repr(GOOD))


def test_one_class_of_each_for_all_services() -> None:
    assert {"FileResult", "SyncReport", "TransferReport"} <= set(dir(smartxfer))
    for name in ("nrp", "perseus", "smartfile"):
        assert not hasattr(getattr(smartxfer, name), "SyncResult")


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(services=["smartfile", "nrp", "perseus"]) as running:
        yield running


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a.txt").write_bytes(b"four")
    return tmp_path / "tree"


def test_the_reports_of_smartfile(server: LocalServer, tree: Path) -> None:
    with smartxfer.BasicClient(server.smartfile.key, server.smartfile.password, url=server.smartfile.url) as client:
        sent = client.upload_tree(tree, "/t")
        assert (type(sent), sent.ok, sent.bytes, sent.seconds > 0) == (TransferReport, True, 4, True)
        got = client.download_tree("/t", tree.parent / "copy")
        assert (type(got), [one.name for one in got]) == (TransferReport, ["/t/a.txt"])
        [planned] = smartxfer.SyncClient(client).upload_tree(tree, "/t", dry_run=True)
        assert (type(planned), planned.method, planned.skipped) == (FileResult, "none", "identical")
        (tree / "a.txt").write_bytes(b"fives")
        result = smartxfer.SyncClient(client).upload(tree / "a.txt", "/t/a.txt")
        assert (result.method, result.bytes_sent, result.bytes_saved) == ("plain", 5, 0)
        assert GOOD.bytes_saved == 0


def test_the_reports_of_a_repository(server: LocalServer, tree: Path) -> None:
    with smartxfer.RepositoryClient(server.nrp.url, token=server.nrp.token) as client:
        draft = client.records.create({"metadata": {"title": "Reads of run 7"}})
        planned = client.files.sync_dir(draft, tree, dry_run=True)
        assert (planned, [one.bytes for one in planned.results]) == (SyncReport(["a.txt"]), [4])
        done = client.files.sync_dir(draft, tree)
        assert (done, done.results.ok, done.results[0].verified) == (planned, True, "md5")
        assert done.results[0].item.key == "a.txt" == done.files["a.txt"].key
        again = client.files.sync_dir(draft, tree)
        assert (again, again.files["a.txt"].size) == (SyncReport(skipped=["a.txt"]), 4)
        assert type(client.files.download_many(draft, tree.parent / "copy")) is TransferReport


def test_the_reports_of_perseus(server: LocalServer, tree: Path) -> None:
    with smartxfer.PerseusClient(server.perseus.url, api_key=server.perseus.api_key) as client:
        assert client.file.sync_dir(tree, dry_run=True) == SyncReport(["a.txt"])
        done = client.file.sync_dir(tree)
        assert (done, done.results[0].item, done.results.bytes) == (SyncReport(["a.txt"]), done.files["a.txt"], 4)


# -- results ----------------------------------------------------------------------------------------------


FILE = FileResult("a", Path("/a"), 3, "md5:x", "md5")
FAILED = FileResult("b", error=NetworkError("broken"))


def test_a_result_is_frozen_and_pickles() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        FILE.bytes = 4  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(FILE)) == FILE
    assert (FILE.ok, FAILED.ok, FAILED.verified) == (True, False, None)


def test_all_good() -> None:
    assert (raise_for_errors([FILE, FILE]), raise_for_errors([])) == ([FILE, FILE], [])


def test_a_single_failure_is_raised_as_it_is() -> None:
    with pytest.raises(NetworkError) as caught:
        raise_for_errors([FAILED])
    assert caught.value is FAILED.error


def test_one_of_several() -> None:
    with pytest.raises(BatchError, match="1 of 3 files failed, first 'b': broken") as caught:
        raise_for_errors([FILE, FAILED, FILE])
    assert (list(caught.value.results), caught.value.errors) == ([FILE, FAILED, FILE], [FAILED.error])
    assert caught.value.__cause__ is FAILED.error
    assert "run the call again" in caught.value.hint
    again = pickle.loads(pickle.dumps(caught.value))
    assert [result.name for result in again.results] == ["a", "b", "a"]
    assert isinstance(again.errors[0], NetworkError)
