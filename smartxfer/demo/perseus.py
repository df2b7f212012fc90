"""Perseus in the demo: files sent to presigned addresses over a line that breaks, sent again, compared."""

import shutil
import time
import urllib.request
from typing import TYPE_CHECKING, Any, Callable, Dict

from smartxfer.demo.files import Plan, differences
from smartxfer.demo.table import Row
from smartxfer.perseus import File, PerseusClient

if TYPE_CHECKING:
    from smartxfer.local import LocalServer

__all__ = ["perseus_row"]

_PUT = "PUT /storage/*"
_BREAK_AFTER = 256 << 10
#: Where the storage has the contents, and for how long an address to read one is good.
_BUCKET, _SECONDS = "perseus-files", 3600

Say = Callable[[str], None]


def perseus_row(server: "LocalServer", plan: Plan, say: Say) -> Row:
    """Send the files, send them again, which moves nothing, and compare what the storage has.

    The service has no downloads: the contents are read from its storage.

    :param server: running; faults are added to those that are planned.
    :param say: told in a line what happens.
    :raises SmartxferError: sending failed.
    """
    site = server.perseus
    # An empty mapping: no proxy stands between a machine and itself.
    with PerseusClient(site.url, api_key=site.api_key, proxies={}) as client:
        say(f"Perseus: sending {len(plan.sources)} files, {plan.bytes:,} bytes")
        began = time.monotonic()
        sent = _sent(client, server, plan, say)
        done = time.monotonic()
        again = client.file.upload_many(list(plan.sources.values()))
        known = sum(file.reused for file in again)
        say(f"Perseus: the same files again: {known} of {len(again)} are known by their SHA-256, not sent")
    _read_back(site, plan, sent)
    results = [file.result for file in sent.values()]
    return Row(
        service="Perseus",
        files=len(plan.sources),
        bytes=plan.bytes,
        up_seconds=done - began,
        down_seconds=None,
        retries=sum(result.retries for result in results if result),
        resumed=sum(file.result.resumed for file in again if file.result),
        differing=differences(plan),
    )


def _sent(client: PerseusClient, server: "LocalServer", plan: Plan, say: Say) -> Dict[str, File]:
    """Send the largest file, its connection broken once, and then the others; the records by name."""
    largest = max(plan.sources, key=lambda name: plan.sources[name].stat().st_size)
    broken = min(_BREAK_AFTER, plan.sources[largest].stat().st_size // 2)
    if broken:
        server.fault("perseus", _PUT, f"reset-after {broken}")
        say(f"Perseus: the connection breaks once on purpose, {broken:,} bytes into a file")
    how: Dict[str, Any] = {"wait": True, "progress": "Perseus up"}
    sent = {largest: client.file.upload_file(plan.sources[largest], **how)}
    others = [name for name in plan.sources if name != largest]
    records = client.file.upload_many([plan.sources[name] for name in others], **how) if others else []
    return {**sent, **dict(zip(others, records))}


def _read_back(site: Any, plan: Plan, files: Dict[str, File]) -> None:
    """What the storage holds for each record, under the name that its file has in the plan."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for name, record in files.items():
        target = plan.out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        address = site.storage.presign("GET", _BUCKET, f"file/{record.id}/{record.name}", _SECONDS)
        with opener.open(address) as stream, open(target, "wb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)
