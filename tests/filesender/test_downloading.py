"""The download workflow against a site: links, selected files, broken ranges, and pages in place of files."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, Callable, List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer import FileSenderClient, RetryPolicy
from smartxfer.errors import (
    AuthError,
    BatchError,
    CommunicationError,
    DecodeError,
    IntegrityError,
    NetworkError,
    NotFound,
    PasswordRequired,
    SizeMismatch,
    UsageError,
)
from smartxfer.filesender import download
from smartxfer.filesender.download import adjust_range
from smartxfer.transfer import MemorySink

ONCE = RetryPolicy(attempts=1)
FETCH = "GET /download.php"
PAGE = "GET /"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def anyone(harness: Any) -> FileSenderClient:
    """Return a client without credentials."""
    return harness.client(auth=FileSenderClient(harness.url).auth)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of one chunk, so that a small file has many."""
    monkeypatch.setattr(download, "RANGE_SIZE", 1)


def content(out: Path) -> dict:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


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
    assert [(seen.path.partition("?")[0], seen.status) for seen in harness.site.requests] == [
        ("/", 200),
        ("/download.php", 200),
    ]


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


def test_a_file_of_another_size_than_expected_is_not_fetched(harness: Any, anyone: Any, out: Path) -> None:
    transfer = harness.publish({"a.bin": bytes(1000)})
    [file] = anyone.list_files(transfer.token)
    with pytest.raises(SizeMismatch) as caught:
        anyone.download_file(transfer.token, file.id, out, file_size=999.0)
    assert (caught.value.expected, caught.value.actual) == (999, 1000)
    assert harness.site.count(FETCH) == 0


def test_a_name_that_the_caller_gives_is_made_safe_too(harness: Any, anyone: Any, out: Path) -> None:
    transfer = harness.publish({"a.bin": b"1"})
    [file] = anyone.list_files(transfer.token)
    result = anyone.download_file(transfer.token, file.id, out, file_name="../../up.bin")
    assert result.path == out / "up.bin"


def test_names_that_lead_up_stay_below(harness: Any, anyone: Any, out: Path) -> None:
    """The site takes ``..``; what comes of it stays in the directory."""
    transfer = harness.publish({"../x": b"1", "a/../../y": b"2", "a/./z": b"3"})
    anyone.download_files(transfer.token, out)
    assert content(out) == {"x": b"1", "a/y": b"2", "a/z": b"3"}


# -- ranges: the site drops the last byte of some ----------------------------------------------------------------


def as_the_site_reads(first: int, last: int, size: int, chunk: int) -> Tuple[int, int]:
    """[start, stop) that a site sends for ``bytes=first-last``, its faults included."""
    if last > size - 1:
        raise AssertionError("the site promises more than it has")
    if (last - first) % chunk == 0:
        return first, last  # the byte at `last` is missing
    return first, last + 1


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
    assert sent[0] <= start
    assert sent[1] >= stop
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


@pytest.mark.parametrize("cut", [1, 1000, 64 * 1024, 3 * 64 * 1024 - 1])
def test_a_new_run_continues_at_any_byte(harness: Any, out: Path, cut: int) -> None:
    data = os.urandom(3 * harness.chunk)
    transfer = harness.publish({"a.bin": data})
    harness.fault(FETCH, f"truncate {cut}")
    with pytest.raises(NetworkError):
        harness.client(retry=ONCE).download_files(transfer.token, out)
    [result] = harness.client(retry=ONCE).download_files(transfer.token, out)
    assert result.resumed == cut
    assert content(out) == {"a.bin": data}


def test_a_site_without_ranges_is_read_from_the_start(site_with: Callable[..., Any], out: Path) -> None:
    harness = site_with(plain_ranges=True)
    data = os.urandom(3 * harness.chunk)
    transfer = harness.publish({"a.bin": data})
    harness.fault(FETCH, "truncate 100000")
    with pytest.raises(NetworkError):
        harness.client(retry=ONCE).download_files(transfer.token, out)
    [result] = harness.client().download_files(transfer.token, out)
    assert content(out) == {"a.bin": data}
    assert result.resumed == 0


@pytest.mark.usefixtures("small_pieces")
def test_ranges_that_stop_working_half_way(harness: Any, out: Path) -> None:
    data = os.urandom(6 * harness.chunk)
    transfer = harness.publish({"a.bin": data})
    harness.fault(FETCH, "ignore-range", times=1, after=3)
    harness.client().download_files(transfer.token, out)
    assert content(out) == {"a.bin": data}


@pytest.mark.parametrize("which", ["start", "total"])
def test_a_range_that_was_not_asked_for_is_refused(harness: Any, out: Path, which: str) -> None:
    data = os.urandom(3 * harness.chunk)
    transfer = harness.publish({"a.bin": data})
    harness.fault(FETCH, "truncate 1000")
    with pytest.raises(NetworkError):
        harness.client(retry=ONCE).download_files(transfer.token, out)
    harness.fault(FETCH, f"wrong-range {which}", times=None)
    with pytest.raises((IntegrityError, CommunicationError)):
        harness.client().download_files(transfer.token, out)
    assert not (out / "a.bin").exists()
    harness.server.clear_faults()
    harness.client().download_files(transfer.token, out)
    assert content(out) == {"a.bin": data}


# -- unknown and invalid files ---------------------------------------------------------------------------------------------

UNKNOWN = "00000000-0000-0000-0000-000000000000"


def test_an_unknown_token(anyone: Any, out: Path) -> None:
    with pytest.raises(NotFound, match="ask the sender"):
        anyone.download_files(UNKNOWN, out)
    assert not out.exists()


@pytest.mark.parametrize("text", ["", "no token", "a b c", "https://fs.example.org/", "../../x"])
def test_an_invalid_token_is_not_sent(harness: Any, anyone: Any, out: Path, text: str) -> None:
    with pytest.raises(UsageError):
        anyone.download_files(text, out)
    assert harness.site.count("GET *") == 0
    assert not out.exists()


def test_an_expired_link(harness: Any, anyone: Any, out: Path) -> None:
    transfer = harness.publish({"a.bin": b"1"})
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


def test_an_error_page_in_place_of_the_file(harness: Any, anyone: Any, out: Path) -> None:
    transfer = harness.publish({"a.bin": bytes(100_000)})
    harness.fault(FETCH, f"redirect {harness.url}/?s=exception&exception=token_expired", times=None)
    with pytest.raises(DecodeError, match="page"):
        anyone.download_files(transfer.token, out)
    assert content(out) == {}


@pytest.mark.parametrize(
    "effect",
    ["status 500 body=empty", "status 500 body=html", "status 404", "truncate 0", "reset-before"],
)
def test_a_failure_before_the_first_byte_leaves_nothing(harness: Any, out: Path, effect: str) -> None:
    transfer = harness.publish({"a.bin": bytes(100_000)})
    harness.fault(FETCH, effect, times=None)
    with pytest.raises(CommunicationError):
        harness.client(retry=ONCE).download_files(transfer.token, out)
    assert content(out) == {}


@pytest.mark.parametrize("effect", ["truncate 99999", "extra-byte", "no-length close truncate 5000"])
def test_a_body_of_the_wrong_length_is_not_a_file(harness: Any, out: Path, effect: str) -> None:
    transfer = harness.publish({"a.bin": os.urandom(100_000)})
    harness.fault(FETCH, effect, times=None)
    with pytest.raises((CommunicationError, IntegrityError)):
        harness.client(retry=ONCE).download_files(transfer.token, out)
    assert "a.bin" not in content(out)


def test_one_of_several_fails(harness: Any, out: Path) -> None:
    files = {"a.bin": os.urandom(1000), "b.bin": os.urandom(1000), "c.bin": os.urandom(1000)}
    transfer = harness.publish(files)
    harness.fault(FETCH, "status 404", after=1)
    with pytest.raises(BatchError, match="1 of 3") as caught:
        harness.client().download_files(transfer.token, out)
    assert [result.ok for result in caught.value.results] == [True, False, True]
    [error] = caught.value.errors
    assert isinstance(error, NotFound)
    harness.client().download_files(transfer.token, out)
    assert content(out) == files


def encrypted_transfer(harness: Any) -> Any:
    return harness.publish(
        {"a.bin": b""},
        encryption=True,
        encryption_key_version=3,
        options={"get_a_link": True, "encryption": True},
    )


@pytest.mark.parametrize("one", [False, True])
def test_an_encrypted_transfer_is_refused(harness: Any, anyone: Any, out: Path, one: bool) -> None:
    transfer = encrypted_transfer(harness)
    [file] = anyone.list_files(transfer.token)
    assert file.encrypted
    with pytest.raises(PasswordRequired, match="password="):
        if one:
            anyone.download_file(transfer.token, file.id, out)
        else:
            anyone.download_files(transfer.token, out)
    assert harness.site.count(FETCH) == 0
    assert not out.exists()


def test_where_it_cannot_be_written(harness: Any, anyone: Any, tmp_path: Path) -> None:
    transfer = harness.publish({"a.bin": b"1"})
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        anyone.download_files(transfer.token, tmp_path / "file")
    unusable: Optional[Any] = 7
    with pytest.raises(UsageError):
        anyone.download_files(transfer.token, unusable)
