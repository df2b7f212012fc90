"""NRP / Invenio demo: a record with an interrupted multipart upload, published, downloaded and compared."""

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

#: Disable the limits of the server, because the user may pass any number of files.
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
#: Minimum size of a part, required by repositories.
_MIN_PART_SIZE = 5 << 20
#: Approximate number of parts of the largest file, so that it can be interrupted half-way.
_PART_COUNT = 13
#: Only two concurrent parts, so that some parts remain after the interruption.
_WORKERS = 2
_BREAK_AFTER = 256 << 10

StatusCallback = Callable[[str], None]


def run_nrp_demo(server: "LocalServer", demo_files: DemoFiles, on_status: StatusCallback) -> Row:
    """Create a record with the files, publish it, download the files and compare them.

    :param server: running server; faults are planned in addition to existing ones.
    :param on_status: called with one line of text about each step.
    :raises SmartxferError: the upload, the publication or the download failed.
    """
    site = server.nrp
    # An empty mapping of proxies: connections to the local server must not use a proxy.
    with get_client(site.url, token=site.token, proxies={}, max_workers=_WORKERS) as client:
        on_status(
            f"NRP: sending {len(demo_files.sources)} files, {demo_files.bytes:,} bytes, to a new record"
        )
        up_started = time.monotonic()
        draft = client.records.create(_RECORD)
        largest = max(demo_files.sources, key=lambda name: demo_files.sources[name].stat().st_size)
        uploads = [_upload_in_parts(client, server, draft, largest, demo_files.sources[largest], on_status)]
        others: List[Any] = [(name, path) for name, path in demo_files.sources.items() if name != largest]
        if others:
            uploads += client.files.upload_many(draft, others, progress="NRP up")
        up_ended = time.monotonic()
        record = client.records.publish(draft)
        on_status(f"NRP: record {record.id} is published; downloading the files")
        down_started = time.monotonic()
        downloads = client.files.download_many(record, demo_files.output_directory, progress="NRP down")
        down_ended = time.monotonic()
    results = [file.result for file in uploads]
    return Row(
        service="NRP",
        files=len(demo_files.sources),
        bytes=demo_files.bytes,
        up_seconds=up_ended - up_started,
        down_seconds=down_ended - down_started,
        retries=sum(result.retries for result in [*results, *downloads]),
        resumed=sum(result.resumed for result in results),
        differing=find_differences(demo_files),
    )


def _upload_in_parts(
    client: Any, server: "LocalServer", draft: Any, name: str, path: Path, on_status: StatusCallback
) -> Any:
    """Send the largest file: interrupt the upload half-way, resume it, and break its connection once."""
    size = path.stat().st_size
    part_size = max(_MIN_PART_SIZE, -(-size // _PART_COUNT))
    count = max(1, -(-size // part_size))
    # A question mark would start the query of the pattern; the wildcard matches it, too.
    request = f"PUT /api/records/{draft.id}/draft/files/{name}/content".replace("?", "*")
    options: Dict[str, Any] = {"progress": "NRP up"}
    if count > 1:
        options.update(transfer_type="multipart", part_size=part_size)
        stalled = min(_WORKERS, count - count // 2)
        fault = server.fault("nrp", f"{request}/*", "stall", times=stalled, after=count // 2)
        cancel = _CancelWhenStalled(fault, stalled)
        try:
            return client.files.upload(draft, name, {}, path, cancel=cancel, **options)
        except Cancelled:
            on_status("NRP: interrupted half-way on purpose; the same call resumes it")
        request = f"{request}/{count}"
    break_after = min(_BREAK_AFTER, (size - (count - 1) * part_size) // 2)
    if break_after:
        server.fault("nrp", request, f"reset-after {break_after}")
        unit = "a part" if count > 1 else "a file"
        on_status(f"NRP: the connection breaks once on purpose, {break_after:,} bytes into {unit}")
    return client.files.upload(draft, name, {}, path, **options)


class _CancelWhenStalled:
    """Cancel object that is set when a fault stalls all workers, after the responses to all earlier parts."""

    def __init__(self, fault: "Fault", workers: int) -> None:
        self._fault = fault
        self._workers = workers

    def is_set(self) -> bool:
        """Return True if the upload should be cancelled."""
        return self._fault.fired >= self._workers
