"""Parser of a request for one range of bytes (RFC 9110, section 14)."""

import re
from typing import Mapping, Optional, Tuple

# Not by werkzeug: its parse_range_header reads bytes=-0 as the whole file, and Range.range_for_length refuses
# a suffix that is longer than the file.
_ONE = re.compile(r"bytes\s*=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII | re.IGNORECASE)


class RangeNotSatisfiable(Exception):
    """The file has no such bytes; the response is 416."""


def requested_range(
    headers: Mapping[str, str], size: int, tag: str, modified: str, *, strict: bool = False
) -> Optional[Tuple[int, int]]:
    """Return the first and last byte of the requested range, or None for the whole file.

    Several ranges, an invalid range, and one whose ``If-Range`` no longer matches get the
    whole file, as the standard allows.

    :param headers: headers of the request by lower-case name.
    :param size: bytes of the file.
    :param tag: its ETag with quotes, empty where it has none.
    :param modified: its ``Last-Modified``.
    :param strict: a range whose end is before its start is not satisfiable, instead of invalid.
    :raises RangeNotSatisfiable: the file has no such bytes.
    """
    match = _ONE.fullmatch(headers.get("range", "").strip())
    if match is None or match.groups() == ("", "") or headers.get("if-range", tag) not in (tag, modified):
        return None
    first, last = match.groups()
    if first and last and int(last) < int(first) and not strict:
        return None
    requested = satisfied(first, last, size)
    if requested is None:
        raise RangeNotSatisfiable
    return requested


def satisfied(first: str, last: str, size: int) -> Optional[Tuple[int, int]]:
    """Return the first and last byte of a range, or None if the file has none of it.

    :param first: text before the ``-``; empty in a suffix range.
    :param last: text after it; empty in a range without end.
    """
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    return (start, end) if start <= end else None
