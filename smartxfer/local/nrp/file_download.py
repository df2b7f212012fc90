"""Downloads: content, or a redirect to the storage.

Source: NRP protocol, sections 5 (download) and 6 (remote).
"""

import re

from werkzeug.http import http_date, parse_etags

from smartxfer.local.http_ranges import RangeNotSatisfiable, requested_range
from smartxfer.local.nrp.call import (
    ApiError,
    Call,
    Headers,
    InternalError,
    Owner,
    Response,
    framework_error,
    permission_denied,
)
from smartxfer.local.nrp.file_entries import FileEntry
from smartxfer.local.nrp.file_keys import disposition, is_unfit_for_header, shown_type, without_controls
from smartxfer.local.nrp.file_lookup import require_readable
from smartxfer.local.nrp.file_serializers import STORAGE_BUCKET, storage_key
from smartxfer.local.object_store import media_type

_TAG = re.compile(r"[!#-~]+")


def download(call: Call, owner: Owner, key: str) -> Response:
    """Return the content of a file.

    :raises ApiError: 500, the file has no content yet, or its key does not fit a header; 403, the file
        is not completely stored here, and the caller is not a superuser.
    """
    entry = require_readable(call, owner, key)
    site = call.backend.site
    if entry.type != "L" and not (call.superuser or (entry.type == "R" and site.remote_for_all)):
        raise permission_denied()
    if entry.type == "R":
        return _redirect(entry.url)
    if entry.spans is None or not entry.is_size_known:
        raise framework_error(500)
    kind = shown_type(key, media_type(key))
    naming = disposition(key, kind)
    if site.any_key:
        naming = without_controls(naming)
    if "\r" in naming:
        raise ApiError(500, "Could not send file: Header values must not contain newline characters.")
    if is_unfit_for_header(naming):
        raise InternalError
    if site.storage == "s3":
        query = {"response-content-type": kind, "response-content-disposition": naming}
        url = storage_key(entry.file_id)
        seconds = site.presigned_seconds
        return _redirect(call.backend.storage.presign("GET", STORAGE_BUCKET, url, seconds, query=query))
    return _file_response(call, entry, kind, naming, ranges=site.storage == "proxy")


def _redirect(url: str) -> Response:
    return Response(302, [("Location", url), ("Content-Type", "text/html; charset=utf-8")])


def _security_headers(naming: str) -> Headers:
    """Return headers that prevent a browser from executing the file."""
    return [
        ("Content-Security-Policy", "default-src 'none';"), ("X-Content-Type-Options", "nosniff"),
        ("X-Download-Options", "noopen"), ("X-Permitted-Cross-Domain-Policies", "none"),
        ("X-Frame-Options", "deny"), ("X-XSS-Protection", "1; mode=block"), ("Content-Disposition", naming),
    ]


def _file_response(call: Call, entry: FileEntry, kind: str, naming: str, *, ranges: bool) -> Response:
    headers = _security_headers(naming)
    asked = call.request.headers
    # A given checksum is not verified, but it may contain characters that a header cannot have.
    known = entry.checksum if entry.checksum and _TAG.fullmatch(entry.checksum) else ""
    tag = f'"{known}"' if known else ""
    tags: Headers = [("ETag", tag)] if tag else []
    if tag and parse_etags(asked.get("if-none-match")).contains_weak(known):
        return Response(304, [*headers, *tags, ("Cache-Control", "no-cache")])
    modified = http_date(int(entry.modified))
    text = kind + "; charset=utf-8" if kind.startswith("text/") else kind
    headers += [("Content-Type", text), *tags, ("Last-Modified", modified), ("Cache-Control", "no-cache")]
    size = entry.is_stored
    if ranges:
        headers.append(("Accept-Ranges", "bytes"))
        try:
            byte_range = requested_range(asked, size, tag, modified)
        except RangeNotSatisfiable:
            return Response(416, [*headers, ("Content-Range", f"bytes */{size}")])
        if byte_range is not None and call.request.method == "GET":
            start, end = byte_range
            headers.append(("Content-Range", f"bytes {start}-{end}/{size}"))
            stretches = entry.slices(call.backend.objects, start, end - start + 1)
            return Response(206, headers, stretches, end - start + 1)
    if known:
        # Hexadecimal, as on the real server.
        headers.insert(0, ("Content-MD5", known.partition(":")[2]))
    # An empty piece, because a head without a body would wait in the kernel for more data.
    return Response(200, headers, entry.slices(call.backend.objects) or (b"",), size)
