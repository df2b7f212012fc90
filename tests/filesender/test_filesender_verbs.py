"""The verbs that all clients share, with FileSender."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer import FileSenderClient, TransferReport
from smartxfer.errors import NotFound, TargetExists, UsageError
from tests.support.filesender_harness import FileSenderServer


@pytest.fixture
def client(harness: FileSenderServer) -> FileSenderClient:
    made: FileSenderClient = harness.client()
    return made


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.csv", "b.txt", "run/c.csv", "tmp/d.csv", ".dot"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "tree"


def names(report: Any) -> List[str]:
    return [result.name for result in report]


def changing(harness: Any) -> int:
    """Requests so far that may have changed something."""
    return len([seen for seen in harness.site.requests if seen.method != "GET"])


def test_one_file_by_link(client: FileSenderClient, tree: Path, tmp_path: Path) -> None:
    sent = client.upload(tree / "a.csv")
    assert (sent.name, sent.bytes, sent.item.files[0].name) == ("a.csv", 5, "a.csv")
    assert sent.url == sent.item.download_url
    token = sent.item.token
    for source in (sent.url, token, f"{token}/a.csv"):
        got = client.download(source, tmp_path / "copy.csv")
        assert (got.path, got.item.name) == (tmp_path / "copy.csv", "a.csv")
        assert client.info(source).size == 5
        assert client.exists(source)
    assert (tmp_path / "copy.csv").read_bytes() == b"a.csv"
    with io.BytesIO() as memory:
        client.download(token, memory)
        assert memory.getvalue() == b"a.csv"
    assert [file.name for file in client.list(sent.url)] == ["a.csv"]
    assert not client.exists(f"{token}/b.csv")
    with pytest.raises(NotFound):
        client.download(f"{token}/b.csv", tmp_path)
    assert client.remove(sent.item) is None
    assert not client.exists(token)


def test_recipients(client: FileSenderClient, harness: Any, tree: Path) -> None:
    one = client.upload(tree / "a.csv", "bob@example.org", subject="Data", message="Here they are")
    assert [person.email for person in one.item.recipients] == ["bob@example.org"]
    assert (one.item.subject, one.item.message) == ("Data", "Here they are")
    two = client.upload_many([tree / "a.csv", ("x", b"xx")], ["bob@example.org", "eve@example.org"])
    assert len(two[0].item.recipients) == 2
    before = changing(harness)
    for target, extra in (
        ([], {}), (None, {"transfer_args": {"recipients": ["bob@example.org"]}}),
        (None, {"subject": "a", "transfer_args": {"subject": "b"}}), ("no address", {}),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            client.upload(tree / "a.csv", target, **extra)
    assert changing(harness) == before


def test_where_a_file_goes(client: FileSenderClient, tree: Path, tmp_path: Path) -> None:
    token = client.upload(tree / ".dot").item.token
    (tmp_path / "out").mkdir()
    assert client.download(token, tmp_path / "out").path == tmp_path / "out" / "_dot"
    assert client.download(token, tmp_path / "out", hidden=True).path == tmp_path / "out" / ".dot"
    (tmp_path / "out" / "_dot").write_bytes(b"mine")
    with pytest.raises(TargetExists):
        client.download(token, tmp_path / "out")
    assert client.download(token, tmp_path / "out", exists="skip").skipped == "exists"
    assert client.download(token, tmp_path / "out" / "_dot").skipped is None
    assert (tmp_path / "out" / "_dot").read_bytes() == b".dot"
    with pytest.raises(UsageError, match="newer"):
        client.download(token, tmp_path / "out", exists="newer")


def test_several_files(client: FileSenderClient, tree: Path, tmp_path: Path) -> None:
    report = client.upload_many([tree / "a.csv", ("x", b"xx"), tree / "run"], max_workers=2)
    assert type(report) is TransferReport
    assert (names(report), report.bytes) == (["a.csv", "x", "run/c.csv"], 16)
    assert report.seconds > 0
    assert len({one.url for one in report}) == 1
    token, other = report[0].item.token, client.upload(("y", b"y")).item.token
    got = client.download_many([f"{token}/x", other, f"{token}/run/c.csv"], tmp_path / "out", max_workers=1)
    assert type(got) is TransferReport
    assert names(got) == ["x", "y", "run/c.csv"]
    assert [one.item.size for one in got] == [2, 1, 9]
    assert (tmp_path / "out" / "run" / "c.csv").read_bytes() == b"run/c.csv"
    for call in (lambda: client.download(token, tmp_path), lambda: client.info(token)):
        with pytest.raises(UsageError, match="has 3 files"):
            call()


def test_one_where_several_are_meant_and_none(
    client: FileSenderClient, harness: Any, tree: Path, tmp_path: Path
) -> None:
    [sent] = client.upload_many(str(tree / "a.csv"))
    assert names(client.download_many(sent.url, tmp_path / "one")) == ["a.csv"]
    before = len(harness.site.requests)
    assert client.download_many([], tmp_path / "none") == []
    assert len(harness.site.requests) == before
    with pytest.raises(UsageError, match="no files to send"):
        client.upload_many([])
    with pytest.raises(UsageError, match="is a directory"):
        client.upload(tree)


def test_a_tree(client: FileSenderClient, harness: Any, tree: Path, tmp_path: Path) -> None:
    before = changing(harness)
    planned = client.upload_tree(tree, include="*.csv", exclude="tmp", dry_run=True)
    assert (names(planned), planned.bytes) == (["a.csv", "run/c.csv"], 14)
    assert changing(harness) == before
    sent = client.upload_tree(tree, include="*.csv", exclude="tmp", max_workers=2)
    assert names(sent) == names(planned)
    link = sent[0].url
    planned = client.download_tree(link, tmp_path / "back", include="run", dry_run=True)
    assert [(one.name, one.path) for one in planned] == [("run/c.csv", tmp_path / "back" / "run" / "c.csv")]
    assert not (tmp_path / "back").exists()
    got = client.download_tree(link, tmp_path / "back", exclude="run", max_workers=2)
    assert names(got) == ["a.csv"]
    assert client.download_tree(link, tmp_path / "back", include="nothing") == []
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no files to send"):
        client.upload_tree(tmp_path / "empty")


def test_encrypted(client: FileSenderClient, tree: Path, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    sent = client.upload(tree / "a.csv", password="Correct-Horse-7-battery")
    client.download(sent.url, tmp_path / "copy", password="Correct-Horse-7-battery")
    assert (tmp_path / "copy").read_bytes() == b"a.csv"


def test_no_frame_shows_a_token(client: FileSenderClient, tmp_path: Path) -> None:
    token = "00000000-1111-2222-3333-" + "c0ffee" * 2
    for call in (
        lambda: client.download(f"{token}/name", tmp_path, password="hush-hush"),
        lambda: client.download_many([f"{token}/name"], tmp_path),
        lambda: client.download_tree(token, tmp_path),
        lambda: client.info(token),
        lambda: client.list(token),
    ):
        try:
            call()
        except NotFound:
            trace = sys.exc_info()[2]
        else:
            pytest.fail("the token was found")
        assert trace is not None
        inner = trace.tb_next and trace.tb_next.tb_next  # the test's own frames hold what it gave
        while inner is not None:
            shown = repr({name: repr(value) for name, value in inner.tb_frame.f_locals.items()})
            assert token not in shown, inner.tb_frame.f_code
            assert "hush-hush" not in shown, inner.tb_frame.f_code
            inner = inner.tb_next
