"""A chunk size that changes between two runs: it holds for what is still to be sent."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import LimitExceeded, ServerError, TooLarge
from smartxfer.filesender.models import File
from smartxfer.filesender.upload import FileUpload
from smartxfer.filesender.upload_journal import get_sent_ranges
from smartxfer.transfer.local_files import collect_files
from tests.support.minimal_filesender import DATA, RawSite

PASSWORD = "Correct-Horse-9-Battery"


def send(site: RawSite, path: Path, chunk_size: Any = None, **options: Any) -> Any:
    return site.send(path, client={"chunk_size": chunk_size}, **options)


def extents(site: RawSite, begin: int = 0) -> List[Tuple[int, int]]:
    """(offset, length) of the chunks that were sent."""
    sent = [one for one in site.requests[begin:] if "/chunk/" in one.path]
    return [(int(one.path.rsplit("/", 1)[1]), len(one.body)) for one in sent]


@pytest.mark.parametrize("refusal", ["413", "storage_chunk_too_large"])
def test_a_smaller_chunk_size_continues_what_was_refused(site: RawSite, path: Path, refusal: str) -> None:
    answer = (413, b"<html>413 Request Entity Too Large</html>") if refusal == "413" else (500, refusal)
    site.refuse("PUT", r"/rest.php/file/20/chunk/2000", *answer)
    with pytest.raises((TooLarge, LimitExceeded)) as caught:
        send(site, path)
    assert "chunk_size=500" in caught.value.hint
    site.largest_body = 500
    begin = len(site.requests)
    [result] = send(site, path, 300).results
    assert result.resumed == 2000
    sent = extents(site, begin)
    assert (sent[0], sum(size for _, size in sent), max(size for _, size in sent)) == ((2000, 100), 3120, 300)
    assert bytes(site.stored[20]) == DATA
    assert site.count("POST", "/rest.php/transfer") == 1
    assert site.status == "available"


@pytest.mark.parametrize("limit", [700, 64, 3000])
def test_a_limit_that_the_site_has_changed_holds(site: RawSite, path: Path, limit: int) -> None:
    site.refuse("PUT", r"/rest.php/file/20/chunk/3000", 502, b"")
    with pytest.raises(ServerError):
        send(site, path)
    site.chunk_size = limit
    site.largest_body = limit
    begin = len(site.requests)
    [result] = send(site, path).results
    assert result.resumed == 3000
    assert sum(size for _, size in extents(site, begin)) == 2120
    assert bytes(site.stored[20]) == DATA
    assert site.count("POST", "/rest.php/transfer") == 1


def test_a_client_that_prepares_again_takes_the_new_limit(site: RawSite) -> None:
    with site.client() as client, site.client(chunk_size=300) as smaller:
        for site.chunk_size in (1000, 400):
            client.prepare()
            smaller.prepare()
        assert (client.chunk_size, smaller.chunk_size) == (400, 300)


def test_the_journal_of_an_older_version_holds_numbers_of_chunks() -> None:
    [item] = collect_files([("a.bin", DATA)])
    state = {"chunk_size": 1000, "acknowledged": {"a.bin": [0, 1, 5, [2000, 2100]]}}
    assert get_sent_ranges(state, item) == [(0, 2100), (5000, 5120)]
    assert get_sent_ranges({}, item) == []


def test_an_encrypted_chunk_cannot_be_smaller_and_the_hint_says_so(site: RawSite, path: Path) -> None:
    pytest.importorskip("cryptography")
    site.script += "    encryption_password_hash_iterations_new_files: 1000,\n"
    site.largest_body = 1000
    with pytest.raises(TooLarge) as caught:
        send(site, path, password=PASSWORD)
    assert "1032 bytes" in caught.value.hint
    assert "administrator" in caught.value.hint


def test_an_encrypted_transfer_is_restarted_after_a_change_of_the_chunk_size(
    site: RawSite, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("cryptography")
    caplog.set_level(logging.INFO)
    site.script += "    encryption_password_hash_iterations_new_files: 1000,\n"
    site.refuse("PUT", r"/rest.php/file/20/chunk/2000", 502, b"")
    with pytest.raises(ServerError):
        send(site, path, password=PASSWORD)
    site.chunk_size = 2000
    begin = len(site.requests)
    [result] = send(site, path, password=PASSWORD).results
    assert result.resumed == 0
    assert "chunk size has changed" in caplog.text
    assert site.count("DELETE", "/rest.php/transfer/7") == 1
    assert [offset for offset, _ in extents(site, begin)] == [0, 2000, 4000]


@given(
    size=st.integers(0, 60),
    ranges=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=6),
    chunk=st.integers(1, 70),
)
def test_what_is_planned_is_what_is_missing(size: int, ranges: List[Tuple[int, int]], chunk: int) -> None:
    [item] = collect_files([("a.bin", b"x" * size)])
    file = File.from_wire({"id": 1, "name": "a.bin", "size": size})
    upload: Any = FileUpload(None, item, file, chunk_size=chunk)  # type: ignore[arg-type]
    state = {"acknowledged": {"a.bin": [list(pair) for pair in ranges]}}
    upload._sent_ranges = get_sent_ranges(state, item)
    # A range that ends behind the file is damage: what it says is sent again.
    had = {at for start, stop in ranges for at in range(start, stop) if stop <= size}
    parts = upload.spec.make_parts(size)
    planned = [at for part in parts for at in range(part.start, part.stop)]
    assert len(planned) == len(set(planned))
    assert set(planned) | had == set(range(size))
    assert not set(planned) & had
    assert all(0 < part.size <= chunk for part in parts)
