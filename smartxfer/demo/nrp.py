"""NRP / Invenio in the demo: a record with files, one sent in parts and interrupted; published, fetched."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List

from smartxfer.demo.files import DemoFiles, find_differences
from smartxfer.demo.table import Row
from smartxfer.errors import Cancelled
from smartxfer.nrp import get_client

if TYPE_CHECKING:
    from smartxfer.local import LocalServer
    from smartxfer.local.faults import Fault

__all__ = ["NRP_OPTIONS", "run_nrp_demo"]

#: The demo sends what it is given, however many files that is.
NRP_OPTIONS = {"max_files": 0, "rate_limit": 0}

_RECORD = {
    "metadata": {
        "title": "Files of the demo",
        "resource_type": {"id": "dataset"},
        "publication_date": "2026-11-20",
        "publisher": "smartxfer",
        "creators": [{"person_or_org": {"type": "personal", "family_name": "Doe", "given_name": "Jo"}}],
    },
    "files": {"enabled": True},
}
#: The least that repositories take for a part: so there are many, and a half to go on from.
_MIN_PART_SIZE = 5 << 20
#: The largest file is sent in about this many of them.
_PART_COUNT = 13
#: With two parts under way at a time some are left to go on with.
_WORKERS = 2
_BREAK_AFTER = 256 << 10

StatusCallback = Callable[[str], None]


def run_nrp_demo(server: "LocalServer", demo_files: DemoFiles, on_status: StatusCallback) -> Row:
    """Make a record of the files, publish it, fetch them back, and compare.

    :param server: running; faults are added to those that are planned.
    :param on_status: told in a line what happens.
    :raises SmartxferError: sending, publishing or fetching failed.
    """
    site = server.nrp
    # An empty mapping: no proxy stands between a machine and itself.
    with get_client(site.url, token=site.token, proxies={}, max_workers=_WORKERS) as client:
        on_status(
            f"NRP: sending {len(demo_files.sources)} files, {demo_files.bytes:,} bytes, to a new record"
        )
        began = time.monotonic()
        draft = client.records.create(_RECORD)
        largest = max(demo_files.sources, key=lambda name: demo_files.sources[name].stat().st_size)
        sent = [_upload_in_parts(client, server, draft, largest, demo_files.sources[largest], on_status)]
        others: List[Any] = [(name, path) for name, path in demo_files.sources.items() if name != largest]
        if others:
            sent += client.files.upload_many(draft, others, progress="NRP up")
        between = time.monotonic()
        record = client.records.publish(draft)
        on_status(f"NRP: record {record.id} is published; fetching the files back")
        began_down = time.monotonic()
        fetched = client.files.download_many(record, demo_files.output_directory, progress="NRP down")
        done = time.monotonic()
    results = [file.result for file in sent]
    return Row(
        service="NRP",
        files=len(demo_files.sources),
        bytes=demo_files.bytes,
        up_seconds=between - began,
        down_seconds=done - began_down,
        retries=sum(result.retries for result in [*results, *fetched]),
        resumed=sum(result.resumed for result in results),
        differing=find_differences(demo_files),
    )


def _upload_in_parts(
    client: Any, server: "LocalServer", draft: Any, name: str, path: Path, on_status: StatusCallback
) -> Any:
    """Send the largest file: interrupted half-way, gone on with, its connection broken once."""
    size = path.stat().st_size
    part_size = max(_MIN_PART_SIZE, -(-size // _PART_COUNT))
    count = max(1, -(-size // part_size))
    # A question mark would begin the query there; a star stands for it, too.
    content = f"PUT /api/records/{draft.id}/draft/files/{name}/content".replace("?", "*")
    how: Dict[str, Any] = {"progress": "NRP up"}
    if count > 1:
        how.update(transfer_type="multipart", part_size=part_size)
        held = min(_WORKERS, count - count // 2)
        half = server.fault("nrp", f"{content}/*", "stall", times=held, after=count // 2)
        try:
            return client.files.upload(draft, name, {}, path, cancel=_CancelWhenStalled(half, held), **how)
        except Cancelled:
            on_status("NRP: interrupted half-way on purpose; the same call again goes on")
        content = f"{content}/{count}"
    broken = min(_BREAK_AFTER, (size - (count - 1) * part_size) // 2)
    if broken:
        server.fault("nrp", content, f"reset-after {broken}")
        into = "a part" if count > 1 else "a file"
        on_status(f"NRP: the connection breaks once on purpose, {broken:,} bytes into {into}")
    return client.files.upload(draft, name, {}, path, **how)


class _CancelWhenStalled:
    """Cancels once a fault holds every worker up: of the parts before it, all answers have come by then."""

    def __init__(self, fault: "Fault", workers: int) -> None:
        self._fault = fault
        self._workers = workers

    def is_set(self) -> bool:
        """Whether it is time to stop."""
        return self._fault.fired >= self._workers
