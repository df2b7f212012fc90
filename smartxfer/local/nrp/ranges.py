"""Which bytes a ``Range`` header gets where a proxy in front of the repository honours it.

Source: NRP protocol, section 5 (download); RFC 9110, section 14.
"""

import re
from typing import Mapping, Optional, Tuple

__all__ = ["NotSatisfiable", "wanted"]

_ONE = re.compile(r"bytes\s*=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII | re.IGNORECASE)


class NotSatisfiable(Exception):
    """The range lies behind the end; the answer is 416."""


def wanted(headers: Mapping[str, str], size: int, tag: str, modified: str) -> Optional[Tuple[int, int]]:
    """The one range of a request.

    Several ranges, a range that is not understood, and one whose ``If-Range`` no longer holds get the
    whole file, as the standard allows.

    :param headers: headers of the request by lower-case name.
    :param size: bytes of the file.
    :param tag: its ETag with quotes, empty where it has none.
    :param modified: its ``Last-Modified``.
    :return: offset of the first byte, and of the last; None for the whole file.
    :raises NotSatisfiable: the file has no such bytes.
    """
    found = _ONE.fullmatch(headers.get("range", ""))
    if found is None or found.groups() == ("", ""):
        return None
    condition = headers.get("if-range")
    if condition is not None and condition not in (tag, modified):
        return None
    first, last = found.groups()
    if not first:
        start, end = max(0, size - int(last)), size - 1
    else:
        start, end = int(first), min(int(last or size), size - 1)
        if last and int(last) < start:
            return None
    if start > end:
        raise NotSatisfiable
    return start, end
