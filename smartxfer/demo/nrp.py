"""NRP / Invenio in the demo: a record with files, one sent in parts and interrupted; published, fetched."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List

from smartxfer.demo.files import Plan, differences
from smartxfer.demo.table import Row
from smartxfer.errors import Cancelled
from smartxfer.nrp import get_client

if TYPE_CHECKING:
    from smartxfer.local import LocalServer
    from smartxfer.local.faults import Fault

__all__ = ["NRP_SITE", "nrp_row"]

#: The demo sends what it is given, however many files that is.
NRP_SITE = {"max_files": 0, "rate_limit": 0}

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
_PART = 5 << 20
#: The largest file is sent in about this many of them.
_PIECES = 13
#: With two parts under way at a time some are left to go on with.
_WORKERS = 2
_BREAK_AFTER = 256 << 10

Say = Callable[[str], None]


def nrp_row(server: "LocalServer", plan: Plan, say: Say) -> Row:
    """Make a record of the files, publish it, fetch them back, and compare.

    :param server: running; faults are added to those that are planned.
    :param say: told in a line what happens.
    :raises SmartxferError: sending, publishing or fetching failed.
    """
    site = server.nrp
    # An empty mapping: no proxy stands between a machine and itself.
    with get_client(site.url, token=site.token, proxies={}, max_workers=_WORKERS) as client:
        say(f"NRP: sending {len(plan.sources)} files, {plan.bytes:,} bytes, to a new record")
        began = time.monotonic()
        draft = client.records.create(_RECORD)
        largest = max(plan.sources, key=lambda name: plan.sources[name].stat().st_size)
        sent = [_in_parts(client, server, draft, largest, plan.sources[largest], say)]
        others: List[Any] = [(name, path) for name, path in plan.sources.items() if name != largest]
        if others:
            sent += client.files.upload_many(draft, others, progress="NRP up")
        between = time.monotonic()
        record = client.records.publish(draft)
        say(f"NRP: record {record.id} is published; fetching the files back")
        began_down = time.monotonic()
        fetched = client.files.download_many(record, plan.out, progress="NRP down")
        done = time.monotonic()
    results = [file.result for file in sent]
    return Row(
        service="NRP",
        files=len(plan.sources),
        bytes=plan.bytes,
        up_seconds=between - began,
        down_seconds=done - began_down,
        retries=sum(result.retries for result in [*results, *fetched]),
        resumed=sum(result.resumed for result in results),
        differing=differences(plan),
    )


def _in_parts(client: Any, server: "LocalServer", draft: Any, name: str, path: Path, say: Say) -> Any:
    """Send the largest file: interrupted half-way, gone on with, its connection broken once."""
    size = path.stat().st_size
    part_size = max(_PART, -(-size // _PIECES))
    count = max(1, -(-size // part_size))
    # A question mark would begin the query there; a star stands for it, too.
    content = f"PUT /api/records/{draft.id}/draft/files/{name}/content".replace("?", "*")
    how: Dict[str, Any] = {"progress": "NRP up"}
    if count > 1:
        how.update(transfer_type="multipart", part_size=part_size)
        held = min(_WORKERS, count - count // 2)
        half = server.fault("nrp", f"{content}/*", "stall", times=held, after=count // 2)
        try:
            return client.files.upload(draft, name, {}, path, cancel=_Held(half, held), **how)
        except Cancelled:
            say("NRP: interrupted half-way on purpose; the same call again goes on")
        content = f"{content}/{count}"
    broken = min(_BREAK_AFTER, (size - (count - 1) * part_size) // 2)
    if broken:
        server.fault("nrp", content, f"reset-after {broken}")
        into = "a part" if count > 1 else "a file"
        say(f"NRP: the connection breaks once on purpose, {broken:,} bytes into {into}")
    return client.files.upload(draft, name, {}, path, **how)


class _Held:
    """Cancels once a fault holds every worker up: of the parts before it, all answers have come by then."""

    def __init__(self, fault: "Fault", workers: int) -> None:
        self._fault = fault
        self._workers = workers

    def is_set(self) -> bool:
        """Whether it is time to stop."""
        return self._fault.fired >= self._workers
