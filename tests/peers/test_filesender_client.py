"""The client of another project, unchanged, against the local server, to prove that its protocol is the real one."""

import asyncio
import hashlib
import random
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from smartxfer import FileSenderClient, UserAuth
from smartxfer.local import LocalServer

# A module of it: the directory tests/filesender would pass for the package.
pytest.importorskip("filesender.request_types", reason="needs the package filesender-client")
upstream = pytest.importorskip("filesender")

pytestmark = pytest.mark.peers

CHUNK = 256 * 1024
SIZES = {"one.bin": 3 * CHUNK + 1, "two.bin": 2 * CHUNK, "three.bin": 10}


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """A site that knows itself as host:port, which is what filesender-client signs."""
    with LocalServer(
        services=["filesender"], filesender={"server_name": "host:port", "upload_chunk_size": CHUNK}
    ) as running:
        yield running


@pytest.fixture
def files(tmp_path: Path) -> List[Path]:
    folder = tmp_path / "sent"
    folder.mkdir()
    made = []
    for name, size in SIZES.items():
        path = folder / name
        path.write_bytes(random.Random(name).getrandbits(8 * size).to_bytes(size, "big"))
        made.append(path)
    return made


def digests(folder: Path) -> Dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


async def _upstream_upload(server: LocalServer, files: List[Path]) -> Any:
    client = upstream.FileSenderClient(
        server.filesender.url,
        auth=upstream.UserAuth(server.filesender.username, server.filesender.api_key),
    )
    try:
        await client.prepare()
        return await client.upload_workflow(files, {"from": "me@example.org"})
    finally:
        await client.http_client.aclose()


async def _upstream_download(server: LocalServer, token: str, into: Path) -> None:
    client = upstream.FileSenderClient(server.filesender.url)
    try:
        await client.download_files(token, into)
    finally:
        await client.http_client.aclose()


def ours(server: LocalServer) -> FileSenderClient:
    site = server.filesender
    return FileSenderClient(site.url, auth=UserAuth(site.username, site.api_key))


def test_it_uploads_and_downloads(server: LocalServer, files: List[Path], tmp_path: Path) -> None:
    sent = asyncio.run(_upstream_upload(server, files))
    token = sent["recipients"][0]["token"]
    asyncio.run(_upstream_download(server, token, tmp_path / "got"))
    assert digests(tmp_path / "got") == digests(files[0].parent)
    assert server.filesender.count("PUT /rest.php/file/*/chunk/*", status=200) == 4 + 2 + 1


def test_what_it_uploads_we_download(server: LocalServer, files: List[Path], tmp_path: Path) -> None:
    sent = asyncio.run(_upstream_upload(server, files))
    with ours(server) as client:
        results = client.download_files(sent["recipients"][0]["token"], tmp_path / "got")
    assert [result.ok for result in results] == [True, True, True]
    assert digests(tmp_path / "got") == digests(files[0].parent)


def test_what_we_upload_it_downloads(server: LocalServer, files: List[Path], tmp_path: Path) -> None:
    with ours(server) as client:
        transfer = client.upload_workflow(files, {"from": "me@example.org"})
    assert transfer.token is not None
    asyncio.run(_upstream_download(server, transfer.token, tmp_path / "got"))
    assert digests(tmp_path / "got") == digests(files[0].parent)


def test_a_stock_server_refuses_its_signature(files: List[Path], caplog: pytest.LogCaptureFixture) -> None:
    """A stock site signs its host without the port: the server is as strict."""
    with LocalServer(services=["filesender"]) as stock:
        with pytest.raises(Exception, match="RetryError"):
            asyncio.run(_upstream_upload(stock, files))
        assert stock.filesender.transfers() == []
    assert "auth_remote_signature_check_failed" in caplog.text
