"""Perseus in the demo: files sent to presigned addresses over a line that breaks, sent again, compared."""

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
#: Where the storage has the contents, and for how long an address to read one is good.
_BUCKET, _URL_LIFETIME = "perseus-files", 3600

StatusCallback = Callable[[str], None]


def run_perseus_demo(server: "LocalServer", demo_files: DemoFiles, on_status: StatusCallback) -> Row:
    """Send the files, send them again, which moves nothing, and compare what the storage has.

    The service has no downloads: the contents are read from its storage.

    :param server: running; faults are added to those that are planned.
    :param on_status: told in a line what happens.
    :raises SmartxferError: sending failed.
    """
    site = server.perseus
    # An empty mapping: no proxy stands between a machine and itself.
    with PerseusClient(site.url, api_key=site.api_key, proxies={}) as client:
        on_status(f"Perseus: sending {len(demo_files.sources)} files, {demo_files.bytes:,} bytes")
        began = time.monotonic()
        sent = _upload_files(client, server, demo_files, on_status)
        done = time.monotonic()
        again = client.file.upload_many(list(demo_files.sources.values()))
        known = sum(file.reused for file in again)
        on_status(
            f"Perseus: the same files again: {known} of {len(again)} are known by their SHA-256, not sent"
        )
    _copy_from_storage(site, demo_files, sent)
    results = [file.result for file in sent.values()]
    return Row(
        service="Perseus",
        files=len(demo_files.sources),
        bytes=demo_files.bytes,
        up_seconds=done - began,
        down_seconds=None,
        retries=sum(result.retries for result in results if result),
        resumed=sum(file.result.resumed for file in again if file.result),
        differing=find_differences(demo_files),
    )


def _upload_files(
    client: PerseusClient, server: "LocalServer", demo_files: DemoFiles, on_status: StatusCallback
) -> Dict[str, File]:
    """Send the largest file, its connection broken once, and then the others; the records by name."""
    largest = max(demo_files.sources, key=lambda name: demo_files.sources[name].stat().st_size)
    broken = min(_BREAK_AFTER, demo_files.sources[largest].stat().st_size // 2)
    if broken:
        server.fault("perseus", _UPLOAD_REQUEST, f"reset-after {broken}")
        on_status(f"Perseus: the connection breaks once on purpose, {broken:,} bytes into a file")
    how: Dict[str, Any] = {"wait": True, "progress": "Perseus up"}
    sent = {largest: client.file.upload_file(demo_files.sources[largest], **how)}
    others = [name for name in demo_files.sources if name != largest]
    records = client.file.upload_many([demo_files.sources[name] for name in others], **how) if others else []
    return {**sent, **dict(zip(others, records))}


def _copy_from_storage(site: Any, demo_files: DemoFiles, records: Dict[str, File]) -> None:
    """What the storage holds for each record, under the name that its file has in the plan."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for name, record in records.items():
        target = demo_files.output_directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        address = site.storage.presign("GET", _BUCKET, f"file/{record.id}/{record.name}", _URL_LIFETIME)
        with opener.open(address) as stream, open(target, "wb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)
