"""What the demo shows for: one row for each service."""

import json
from typing import Any, Dict, List, Optional, Sequence

import attrs

__all__ = ["Row", "format_json", "format_table"]

_MEGA = 1_000_000
_TITLES = ["service", "files", "bytes", "MB/s up", "MB/s down", "retries", "resumed", "saved", "verified"]


@attrs.frozen
class Row:
    """How one service did.

    :param service: its name.
    :param files: files sent and fetched.
    :param bytes: their size.
    :param up_seconds: time for sending, interruption and broken connection included.
    :param down_seconds: time for fetching; None where the service has no downloads.
    :param retries: tries that failed on the way and were made again.
    :param resumed: bytes that the second run of the upload did not have to send again.
    :param saved: bytes that a delta spared when a file had changed; None where the service has no deltas.
    :param differing: names of files that came back changed, or not at all.
    :param failed: whether an error ended it early.
    """

    service: str
    files: int
    bytes: int = 0
    up_seconds: float = 0.0
    down_seconds: Optional[float] = 0.0
    retries: int = 0
    resumed: int = 0
    saved: Optional[int] = None
    differing: Sequence[str] = ()
    failed: bool = False

    @property
    def verified(self) -> str:
        """The verdict, as the table shows it."""
        if self.failed:
            return "FAILED"
        return "DIFFERS" if self.differing else "sha256"


def _megabytes_per_second(byte_count: int, seconds: float) -> float:
    """Megabytes (10**6) a second."""
    return byte_count / _MEGA / seconds if seconds > 0 else 0.0


def _format_cells(row: Row) -> List[str]:
    return [
        row.service,
        str(row.files),
        f"{row.bytes:,}",
        f"{_megabytes_per_second(row.bytes, row.up_seconds):.1f}",
        "-" if row.down_seconds is None else f"{_megabytes_per_second(row.bytes, row.down_seconds):.1f}",
        str(row.retries),
        f"{row.resumed:,}",
        "-" if row.saved is None else f"{row.saved:,}",
        row.verified,
    ]


def format_table(rows: Sequence[Row]) -> List[str]:
    """Lines of a table with aligned columns."""
    cells = [_TITLES, *map(_format_cells, rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    last = len(widths) - 1
    return [
        "  ".join(
            # Words begin, and numbers end, in one line.
            text.ljust(width) if column in (0, last) else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in cells
    ]


def format_json(row: Row) -> str:
    """One row as a line of JSON; rates in megabytes (10**6) a second; ``saved`` where there are deltas."""
    values: Dict[str, Any] = {
        "service": row.service,
        "files": row.files,
        "bytes": row.bytes,
        "mb_s_up": round(_megabytes_per_second(row.bytes, row.up_seconds), 1),
        "mb_s_down": None
        if row.down_seconds is None
        else round(_megabytes_per_second(row.bytes, row.down_seconds), 1),
        "retries": row.retries,
        "resumed": row.resumed,
        "verified": row.verified,
        "differing": list(row.differing),
    }
    if row.saved is not None:
        values["saved"] = row.saved
    return json.dumps(values)
