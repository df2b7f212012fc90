"""Objects on their way out of the storage: conditions, one range, headers that the address sets.

Source: NRP protocol, section 5 (download, S3); Perseus protocol, section A.6; RFC 9110, sections 13, 14.
"""

import email.utils
import re
from typing import Dict, List, Mapping, Optional, Tuple

from smartxfer.local.exchange import Answer
from smartxfer.local.s3.problems import Problem, request_id
from smartxfer.local.s3.shelf import Stored

__all__ = ["give"]

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
#: Arguments that set a header of the answer.
_SET = {
    "response-content-type": "Content-Type",
    "response-content-disposition": "Content-Disposition",
    "response-content-encoding": "Content-Encoding",
    "response-content-language": "Content-Language",
    "response-cache-control": "Cache-Control",
    "response-expires": "Expires",
}


def give(found: Stored, asked: Mapping[str, str], query: Mapping[str, str]) -> Answer:
    """An object, or the one range of it that is asked for.

    :param asked: headers of the request by lower-case name.
    :param query: arguments of the address.
    :raises Problem: 412, a condition does not hold; 416, the object has no such bytes.
    """
    tag, modified = f'"{found.etag}"', email.utils.formatdate(int(found.modified), usegmt=True)
    named: Dict[str, str] = {
        "x-amz-request-id": request_id(),
        "Last-Modified": modified,
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Content-Type": found.mime,
    }
    named.update((name, query[word]) for word, name in _SET.items() if query.get(word))
    headers: List[Tuple[str, str]] = list(named.items())
    if "if-match" in asked and not _names(asked["if-match"], tag):
        raise Problem("PreconditionFailed", 412, fields={"Condition": "If-Match"})
    if _names(asked.get("if-none-match", ""), tag):
        return Answer(304, headers, (b"",))
    stretch = None
    if asked.get("if-range", tag) in (tag, modified):
        stretch = _stretch(asked.get("range", ""), found.size)
    if stretch is None:
        return Answer(200, headers, tuple(found.cut(0, found.size)), found.size)
    start, end = stretch
    headers.append(("Content-Range", f"bytes {start}-{end}/{found.size}"))
    count = end - start + 1
    return Answer(206, headers, tuple(found.cut(start, count)), count)


def _names(header: str, tag: str) -> bool:
    """Whether a list of tags has this one."""
    return any(one.strip() in ("*", tag, "W/" + tag) for one in header.split(","))


def _stretch(header: str, size: int) -> Optional[Tuple[int, int]]:
    """First and last byte that are asked for; None for all: several ranges, or none that can be read."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return None
    if first:
        start, end = int(first), min(int(last or size), size - 1)
    else:
        start, end = max(0, size - int(last)), size - 1
    if start > end:
        raise Problem(
            "InvalidRange",
            416,
            fields={"RangeRequested": header, "ActualObjectSize": str(size)},
            headers=(("Content-Range", f"bytes */{size}"),),
        )
    return start, end
