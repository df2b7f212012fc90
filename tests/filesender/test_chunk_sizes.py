"""Chunk sizes that a site reports: missing or invalid ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smartxfer import FileSenderClient, RetryPolicy, UserAuth
from smartxfer.errors import DecodeError
from tests.support.minimal_filesender import RawSite


def _client(site: RawSite) -> FileSenderClient:
    return FileSenderClient(site.url, auth=UserAuth("ann@example.org", "key"), retry=RetryPolicy(attempts=1))


def _chunks(site: RawSite) -> int:
    return site.count("PUT", r"/rest.php/file/\d+/chunk/\d+")


@pytest.mark.parametrize("reported", [None, 0, -1])
def test_a_site_without_a_chunk_size_gets_the_default(tmp_path: Path, reported: Any) -> None:
    source = tmp_path / "a.bin"
    source.write_bytes(bytes(20_000))
    with RawSite() as site:
        site.chunk_size = reported
        with _client(site) as client:
            client.upload_workflow([source], {"recipients": ["bob@example.net"]})
        assert _chunks(site) == 1


def test_the_chunk_size_is_read_from_the_script_too(tmp_path: Path) -> None:
    source = tmp_path / "a.bin"
    source.write_bytes(bytes(20_000))
    with RawSite() as site:
        site.chunk_size = None  # type: ignore[assignment]
        site.script += "    upload_chunk_size: 10000,\n"
        with _client(site) as client:
            client.upload_workflow([source], {"recipients": ["bob@example.net"]})
        assert _chunks(site) == 2


def test_a_chunk_size_that_would_take_millions_of_requests_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.bin"
    source.write_bytes(bytes(20_000))
    with RawSite(chunk_size=1) as site, _client(site) as client:
        with pytest.raises(DecodeError, match="20000 chunks of 1 bytes"):
            client.upload_workflow([source], {"recipients": ["bob@example.net"]})
        assert _chunks(site) == 0
