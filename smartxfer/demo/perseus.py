"""Perseus demo: uploads to presigned URLs with a broken connection, a second upload, and a comparison."""

import shutil
import time
import urllib.request
from typing import TYPE_CHECKING, Any, Callable, Dict

from smartxfer.demo.files import DemoFiles, find_differences
from smartxfer.demo.table import Row
from smartxfer.perseus import File, PerseusClient

if TYPE_CHECKING:
    from smartxfer.local import LocalServer

__all__ = ["run_perseus_demo"]

_UPLOAD_REQUEST = "PUT /storage/*"
_BREAK_AFTER = 256 << 10
#: Bucket of the storage, and seconds for which a presigned URL is valid.
_BUCKET, _URL_LIFETIME = "perseus-files", 3600

StatusCallback = Callable[[str], None]


def run_perseus_demo(server: "LocalServer", demo_files: DemoFiles, on_status: StatusCallback) -> Row:
    """Send the files, send them again, which transfers nothing, and compare the files in the storage.

    The service has no downloads, so the files are read from its storage.

    :param server: running server; faults are planned in addition to existing ones.
    :param on_status: called with one line of text about each step.
    :raises SmartxferError: an upload failed.
    """
    site = server.perseus
    # An empty mapping of proxies: connections to the local server must not use a proxy.
    with PerseusClient(site.url, api_key=site.api_key, proxies={}) as client:
        on_status(f"Perseus: sending {len(demo_files.sources)} files, {demo_files.bytes:,} bytes")
        started = time.monotonic()
        records = _upload_files(client, server, demo_files, on_status)
        ended = time.monotonic()
        second_records = client.file.upload_many(list(demo_files.sources.values()))
        reused = sum(record.reused for record in second_records)
        on_status(
            f"Perseus: the same files again: {reused} of {len(second_records)} are known by their SHA-256, "
            "not sent"
        )
    _copy_from_storage(site, demo_files, records)
    results = [record.result for record in records.values()]
    return Row(
        service="Perseus",
        files=len(demo_files.sources),
        bytes=demo_files.bytes,
        up_seconds=ended - started,
        down_seconds=None,
        retries=sum(result.retries for result in results if result),
        resumed=sum(record.result.resumed for record in second_records if record.result),
        differing=find_differences(demo_files),
    )


def _upload_files(
    client: PerseusClient, server: "LocalServer", demo_files: DemoFiles, on_status: StatusCallback
) -> Dict[str, File]:
    """Send the largest file with a broken connection, then the others, and return the records by name."""
    largest = max(demo_files.sources, key=lambda name: demo_files.sources[name].stat().st_size)
    break_after = min(_BREAK_AFTER, demo_files.sources[largest].stat().st_size // 2)
    if break_after:
        server.fault("perseus", _UPLOAD_REQUEST, f"reset-after {break_after}")
        on_status(f"Perseus: the connection breaks once on purpose, {break_after:,} bytes into a file")
    options: Dict[str, Any] = {"wait": True, "progress": "Perseus up"}
    records = {largest: client.file.upload_file(demo_files.sources[largest], **options)}
    others = [name for name in demo_files.sources if name != largest]
    if others:
        paths = [demo_files.sources[name] for name in others]
        records.update(zip(others, client.file.upload_many(paths, **options)))
    return records


def _copy_from_storage(site: Any, demo_files: DemoFiles, records: Dict[str, File]) -> None:
    """Copy the stored content of each record into the output directory, under the name of its file."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for name, record in records.items():
        target = demo_files.output_directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        url = site.storage.presign("GET", _BUCKET, f"file/{record.id}/{record.name}", _URL_LIFETIME)
        with opener.open(url) as response, open(target, "wb") as file:
            shutil.copyfileobj(response, file, 1 << 20)
