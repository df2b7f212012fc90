"""Objects on their way out of the storage: conditions, one range, headers that the address sets.

Source: NRP protocol, section 5 (download, S3); Perseus protocol, section A.6; RFC 9110, sections 13, 14.
"""

from typing import Dict, Mapping

from werkzeug.http import http_date, parse_etags

from smartxfer.local.http_messages import Response
from smartxfer.local.http_ranges import RangeNotSatisfiable, requested_range
from smartxfer.local.s3.problems import Problem, request_id
from smartxfer.local.s3.shelf import Stored

#: Arguments that set a header of the answer.
_SET = {
    "response-content-type": "Content-Type",
    "response-content-disposition": "Content-Disposition",
    "response-content-encoding": "Content-Encoding",
    "response-content-language": "Content-Language",
    "response-cache-control": "Cache-Control",
    "response-expires": "Expires",
}


def get_object(found: Stored, asked: Mapping[str, str], query: Mapping[str, str]) -> Response:
    """An object, or the one range of it that is asked for.

    :param asked: headers of the request by lower-case name.
    :param query: arguments of the address.
    :raises Problem: 412, a condition does not hold; 416, the object has no such bytes.
    """
    tag, modified = f'"{found.etag}"', http_date(int(found.modified))
    named: Dict[str, str] = {
        "x-amz-request-id": request_id(),
        "Last-Modified": modified,
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Content-Type": found.mime,
    }
    named.update((name, query[word]) for word, name in _SET.items() if query.get(word))
    headers = list(named.items())
    if "if-match" in asked and not parse_etags(asked["if-match"]).contains_weak(found.etag):
        raise Problem("PreconditionFailed", 412, fields={"Condition": "If-Match"})
    if parse_etags(asked.get("if-none-match")).contains_weak(found.etag):
        return Response(304, headers)
    try:
        wanted = requested_range(asked, found.size, tag, modified)
    except RangeNotSatisfiable:
        fields = {"RangeRequested": asked["range"], "ActualObjectSize": str(found.size)}
        unsatisfied = (("Content-Range", f"bytes */{found.size}"),)
        raise Problem("InvalidRange", 416, fields=fields, headers=unsatisfied) from None
    if wanted is None:
        return Response(200, headers, tuple(found.cut(0, found.size)), found.size)
    start, end = wanted
    headers.append(("Content-Range", f"bytes {start}-{end}/{found.size}"))
    return Response(206, headers, tuple(found.cut(start, end - start + 1)), end - start + 1)
