"""The download workflow against a site: links, selected files, ranges, and links that do not lead to files."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, Callable, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer import FileSenderClient, RetryPolicy
from smartxfer.errors import AuthError, NetworkError, NotFound, SizeMismatch, UsageError
from smartxfer.filesender import download
from smartxfer.filesender.download import adjust_range
from smartxfer.transfer import MemorySink
from tests.support.filesender_harness import DOWNLOAD as FETCH
from tests.support.filesender_harness import content

ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def anyone(harness: Any) -> FileSenderClient:
    """Return a client without credentials."""
    return harness.client(auth=FileSenderClient(harness.url).auth)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of one chunk, so that a small file has many."""
    monkeypatch.setattr(download, "RANGE_SIZE", 1)


# -- links and choices ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["token", "link", "link of download.php", "structure"])
def test_a_token_a_link_or_a_transfer(harness: Any, anyone: FileSenderClient, out: Path, form: str) -> None:
    transfer = harness.publish({"a.txt": b"1"})
    given_as = {
        "token": transfer.token,
        "link": transfer.download_url,
        "link of download.php": f"{harness.url}/download.php?token={transfer.token}&files_ids=1",
        "structure": transfer,
    }
    anyone.download_files(given_as[form], out)
    assert content(out) == {"a.txt": b"1"}


def test_no_credentials_are_needed(harness: Any, out: Path) -> None:
    transfer = harness.publish({"a.txt": b"1"})
    harness.site.listener.clear_log()
    with FileSenderClient(harness.url) as client:
        client.download_files(transfer.token, out)
    # No redirect: the page, then the file.
    asked = [(seen.path.partition("?")[0], seen.status) for seen in harness.site.requests]
    assert asked == [("/", 200), ("/download.php", 200)]


def test_files_are_chosen_by_id_name_or_structure(harness: Any, anyone: Any, tmp_path: Path) -> None:
    files = {"a.txt": b"1", "b/a.txt": b"2", "c.txt": b"3"}
    transfer = harness.publish(files)
    listed = {file.name: file for file in anyone.list_files(transfer.token)}
    choices: List[Tuple[Any, List[str]]] = [
        (["a.txt"], ["a.txt"]),
        (["b/a.txt", "c.txt"], ["b/a.txt", "c.txt"]),
        ([listed["c.txt"].id, "a.txt"], ["a.txt", "c.txt"]),
        ([listed["b/a.txt"]], ["b/a.txt"]),
        (["c.txt", listed["c.txt"].id], ["c.txt"]),
        ("b/a.txt", ["b/a.txt"]),
        (listed["c.txt"].id, ["c.txt"]),
        (listed["a.txt"], ["a.txt"]),
        ([], []),
        (None, ["a.txt", "b/a.txt", "c.txt"]),
    ]
    for number, (wanted, names) in enumerate(choices):
        out = tmp_path / str(number)
        results = anyone.download_files(transfer.token, out, files=wanted)
        assert content(out) == {name: files[name] for name in names}
        assert sorted(result.name for result in results) == names


def test_a_choice_of_unknown_files(harness: Any, anyone: Any, out: Path) -> None:
    transfer = harness.publish({"a.txt": b"1"})
    with pytest.raises(NotFound, match=r"'b.txt'.*'a.txt'"):
        anyone.download_files(transfer.token, out, files=["a.txt", "b.txt"])
    assert not out.exists()


def test_one_file(harness: Any, anyone: Any, out: Path) -> None:
    data = os.urandom(1000)
    transfer = harness.publish({"deep/a.bin": data, "b.bin": b""})
    file = next(file for file in anyone.list_files(transfer.token) if file.name == "deep/a.bin")
    result = anyone.download_file(transfer.token, file.id, out, 1000)
    assert result.path == out / "deep" / "a.bin"
    anyone.download_file(transfer.token, file.id, out, file_name="other.bin")
    assert content(out) == {"deep/a.bin": data, "other.bin": data}
    sink, opened = MemorySink(), io.BytesIO(b"head")
    opened.seek(4)
    anyone.download_file(transfer.token, file.id, sink)
    anyone.download_file(transfer.token, file, opened)
    assert (sink.data, opened.getvalue()) == (data, b"head" + data)


def test_the_name_and_the_size_that_the_caller_gives(harness: Any, anyone: Any, out: Path) -> None:
    transfer = harness.publish({"a.bin": bytes(1000)})
    [file] = anyone.list_files(transfer.token)
    with pytest.raises(SizeMismatch) as caught:
        anyone.download_file(transfer.token, file.id, out, file_size=999.0)
    assert (caught.value.expected, caught.value.actual) == (999, 1000)
    assert harness.site.count(FETCH) == 0
    assert anyone.download_file(transfer.token, file.id, out, file_name="../../up.bin").path == out / "up.bin"


# -- ranges: the site drops the last byte of some ----------------------------------------------------------------


def as_the_site_reads(first: int, last: int, size: int, chunk: int) -> Tuple[int, int]:
    """[start, stop) that a site sends for ``bytes=first-last``, its faults included."""
    if last > size - 1:
        raise AssertionError("the site promises more than it has")
    return first, last + bool((last - first) % chunk)  # else the byte at `last` is missing


@st.composite
def ranges(draw: Any) -> Tuple[int, int, int]:
    """(size, start, stop) of a part; the whole file is asked for without a range."""
    size = draw(st.integers(2, 400))
    start = draw(st.integers(0, size - 1))
    return size, start, draw(st.integers(start + 1, size if start else size - 1))


@given(part=ranges(), chunk=st.integers(2, 50))
def test_a_safe_range_gives_every_byte(part: Tuple[int, int, int], chunk: int) -> None:
    size, start, stop = part
    first, end = adjust_range(start, stop, size, chunk)
    sent = as_the_site_reads(first, end - 1, size, chunk)
    assert sent[0] <= start < stop <= sent[1]
    # All that was promised comes, or the connection would break short.
    assert sent == (first, end)
    # At most one byte is fetched in vain.
    assert (start - first) + (end - stop) <= 1


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("chunks", [1, 2, 3])
@pytest.mark.parametrize("more", [-1, 0, 1, 2])
def test_many_pieces(site_with: Callable[..., Any], out: Path, chunks: int, more: int, strict: bool) -> None:
    harness = site_with(strict_ranges=strict)
    data = os.urandom(chunks * harness.chunk + more)
    transfer = harness.publish({"a.bin": data})
    harness.site.listener.clear_log()
    [result] = harness.client(retry=ONCE).download_files(transfer.token, out)
    assert content(out) == {"a.bin": data}
    assert result.retries == 0
    assert harness.site.count(FETCH) == -(-len(data) // harness.chunk)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("cut", [1, 2, 63 * 1024, 64 * 1024 - 1])
def test_a_piece_is_continued_at_any_byte(harness: Any, out: Path, cut: int) -> None:
    """The rest of a piece may have exactly the length that the site gets wrong."""
    data = os.urandom(2 * harness.chunk + 1)
    transfer = harness.publish({"a.bin": data})
    harness.fault(FETCH, f"truncate {cut}")
    [result] = harness.client(max_workers=1).download_files(transfer.token, out)
    assert content(out) == {"a.bin": data}
    assert result.retries == 1


@pytest.mark.parametrize("plain_ranges", [False, True])
@pytest.mark.parametrize("cut", [1, 1000, 64 * 1024, 3 * 64 * 1024 - 1])
def test_a_new_run_continues_at_any_byte(site_with: Any, out: Path, cut: int, plain_ranges: bool) -> None:
    """A site without ranges is read from the start."""
    harness = site_with(plain_ranges=plain_ranges)
    data = os.urandom(3 * harness.chunk)
    transfer = harness.publish({"a.bin": data})
    harness.fault(FETCH, f"truncate {cut}")
    with pytest.raises(NetworkError):
        harness.client(retry=ONCE).download_files(transfer.token, out)
    client = harness.client(retry=RetryPolicy(attempts=1 + plain_ranges, backoff=0))
    [result] = client.download_files(transfer.token, out)
    assert result.resumed == (0 if plain_ranges else cut)
    assert content(out) == {"a.bin": data}


# -- invalid links ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text", ["", "no token", "a b c", "https://fs.example.org/", "../../x"])
def test_an_invalid_token_is_not_sent(harness: Any, anyone: Any, out: Path, text: str) -> None:
    with pytest.raises(UsageError):
        anyone.download_files(text, out)
    assert harness.site.count("GET *") == 0
    assert not out.exists()


def test_an_expired_link(harness: Any, anyone: Any, out: Path) -> None:
    transfer = harness.publish({"a.bin": b"1"})
    unusable: Any = 7
    with pytest.raises(UsageError):
        anyone.download_files(transfer.token, unusable)
    harness.site.configure(clock_offset=60 * 86400)
    with pytest.raises(NotFound):
        anyone.download_files(transfer.token, out)
    assert not out.exists()


def test_a_page_that_wants_a_login(harness: Any, anyone: Any, out: Path) -> None:
    options = {"get_a_link": True, "must_be_logged_in_to_download": True}
    transfer = harness.publish({"a.bin": b"1"}, options=options)
    with pytest.raises(AuthError, match="login"):
        anyone.download_files(transfer.token, out)
    assert not out.exists()
