"""Results of the demo as a table or as JSON, with one row for each service."""

import json
from typing import Any, Dict, List, Optional, Sequence

import attrs

__all__ = ["Row", "format_json", "format_table"]

_MEGA = 1_000_000
_TITLES = ["service", "files", "bytes", "MB/s up", "MB/s down", "retries", "resumed", "saved", "verified"]


@attrs.frozen
class Row:
    """Result of one service.

    :param service: its name.
    :param files: number of files.
    :param bytes: total size.
    :param up_seconds: time of the upload, including the interruption and the broken connection.
    :param down_seconds: time of the download; None if the service has no downloads.
    :param retries: number of retried attempts.
    :param resumed: bytes that the second run of the upload did not send again.
    :param saved: bytes that a delta saved for a changed file; None if the service has no deltas.
    :param differing: names of files that differ or are missing after the download.
    :param failed: True if the demo ended with an error.
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
        """Result of the comparison, as shown in the table."""
        if self.failed:
            return "FAILED"
        return "DIFFERS" if self.differing else "sha256"


def _megabytes_per_second(byte_count: int, seconds: float) -> float:
    """Return megabytes (10**6 bytes) per second."""
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
    """Return the lines of a table with aligned columns."""
    cells = [_TITLES, *map(_format_cells, rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    last = len(widths) - 1
    return [
        "  ".join(
            # Align text left and numbers right.
            text.ljust(width) if column in (0, last) else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in cells
    ]


def format_json(row: Row) -> str:
    """Return a row as a line of JSON; rates are in megabytes (10**6 bytes) per second.

    ``saved`` is only present for services with delta transfers.
    """
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
