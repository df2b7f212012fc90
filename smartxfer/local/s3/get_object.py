"""GetObject: conditions, one range, and headers that the URL sets.

Source: NRP protocol, section 5 (download, S3); Perseus protocol, section A.6; RFC 9110, sections 13, 14.
"""

from typing import Dict, Mapping

from werkzeug.http import http_date, parse_etags

from smartxfer.local.http_messages import Response
from smartxfer.local.http_ranges import RangeNotSatisfiable, requested_range
from smartxfer.local.s3.backend import StoredObject
from smartxfer.local.s3.errors import S3Error, request_id

#: Arguments that set a header of the response.
_RESPONSE_HEADERS = {
    "response-content-type": "Content-Type", "response-content-disposition": "Content-Disposition",
    "response-content-encoding": "Content-Encoding", "response-content-language": "Content-Language",
    "response-cache-control": "Cache-Control", "response-expires": "Expires",
}


def get_object(stored: StoredObject, headers: Mapping[str, str], query: Mapping[str, str]) -> Response:
    """Return an object or the requested range of it.

    :param headers: headers of the request by lower-case name.
    :param query: arguments of the address.
    :raises S3Error: 412, a condition is not met; 416, the object has no such bytes.
    """
    tag, modified = f'"{stored.etag}"', http_date(int(stored.modified))
    named: Dict[str, str] = {
        "x-amz-request-id": request_id(), "Last-Modified": modified, "ETag": tag, "Accept-Ranges": "bytes",
        "Content-Type": stored.mime,
    }
    named.update((name, query[word]) for word, name in _RESPONSE_HEADERS.items() if query.get(word))
    response_headers = list(named.items())
    if "if-match" in headers and not parse_etags(headers["if-match"]).contains_weak(stored.etag):
        raise S3Error("PreconditionFailed", 412, fields={"Condition": "If-Match"})
    if parse_etags(headers.get("if-none-match")).contains_weak(stored.etag):
        return Response(304, response_headers)
    try:
        byte_range = requested_range(headers, stored.size, tag, modified)
    except RangeNotSatisfiable:
        fields = {"RangeRequested": headers["range"], "ActualObjectSize": str(stored.size)}
        unsatisfied = (("Content-Range", f"bytes */{stored.size}"),)
        raise S3Error("InvalidRange", 416, fields=fields, headers=unsatisfied) from None
    if byte_range is None:
        return Response(200, response_headers, tuple(stored.byte_range(0, stored.size)), stored.size)
    start, end = byte_range
    response_headers.append(("Content-Range", f"bytes {start}-{end}/{stored.size}"))
    return Response(206, response_headers, tuple(stored.byte_range(start, end - start + 1)), end - start + 1)
