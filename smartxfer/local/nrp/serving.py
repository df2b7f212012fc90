"""Content on its way out: sent from here, or by a redirect to where it lies.

Source: NRP protocol, sections 5 (download) and 6 (remote).
"""

import re

from werkzeug.http import http_date, parse_etags

from smartxfer.local.http_ranges import RangeNotSatisfiable, requested_range
from smartxfer.local.nrp.call import ApiError, Broken, Call, Headers, Owner, Response, denied, framework
from smartxfer.local.nrp.entries import Entry
from smartxfer.local.nrp.finding import readable
from smartxfer.local.nrp.keys import disposition, shown_type, unfit_for_header, without_controls
from smartxfer.local.nrp.showing import STORAGE_BUCKET, storage_key
from smartxfer.local.objects import media_type

_TAG = re.compile(r"[!#-~]+")


def download(call: Call, owner: Owner, key: str) -> Response:
    """The content of a file.

    :raises ApiError: 500, there is nothing to send yet, or a header has no place for the key; 403, the file
        is not stored here, or not wholly, and the caller is not a superuser.
    """
    entry = readable(call, owner, key)
    site = call.backend.site
    if entry.type != "L" and not (call.superuser or (entry.type == "R" and site.remote_for_all)):
        raise denied()
    if entry.type == "R":
        return _redirect(entry.url)
    if entry.spans is None or not entry.known:
        raise framework(500)
    kind = shown_type(key, media_type(key))
    naming = disposition(key, kind)
    if site.any_key:
        naming = without_controls(naming)
    if "\r" in naming:
        raise ApiError(500, "Could not send file: Header values must not contain newline characters.")
    if unfit_for_header(naming):
        raise Broken
    if site.storage == "s3":
        query = {"response-content-type": kind, "response-content-disposition": naming}
        place = storage_key(entry.file_id)
        seconds = site.presigned_seconds
        return _redirect(call.backend.storage.presign("GET", STORAGE_BUCKET, place, seconds, query=query))
    return _sent(call, entry, kind, naming, ranges=site.storage == "proxy")


def _redirect(url: str) -> Response:
    return Response(302, [("Location", url), ("Content-Type", "text/html; charset=utf-8")])


def _guard(naming: str) -> Headers:
    """Headers that keep a browser from running what was uploaded."""
    return [
        ("Content-Security-Policy", "default-src 'none';"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Download-Options", "noopen"),
        ("X-Permitted-Cross-Domain-Policies", "none"),
        ("X-Frame-Options", "deny"),
        ("X-XSS-Protection", "1; mode=block"),
        ("Content-Disposition", naming),
    ]


def _sent(call: Call, entry: Entry, kind: str, naming: str, *, ranges: bool) -> Response:
    headers = _guard(naming)
    asked = call.request.headers
    # A checksum that was given is believed, but a header has no place for everything.
    known = entry.checksum if entry.checksum and _TAG.fullmatch(entry.checksum) else ""
    tag = f'"{known}"' if known else ""
    tags: Headers = [("ETag", tag)] if tag else []
    if tag and parse_etags(asked.get("if-none-match")).contains_weak(known):
        return Response(304, [*headers, *tags, ("Cache-Control", "no-cache")])
    modified = http_date(int(entry.modified))
    text = kind + "; charset=utf-8" if kind.startswith("text/") else kind
    headers += [("Content-Type", text), *tags, ("Last-Modified", modified), ("Cache-Control", "no-cache")]
    size = entry.held
    if ranges:
        headers.append(("Accept-Ranges", "bytes"))
        try:
            found = requested_range(asked, size, tag, modified)
        except RangeNotSatisfiable:
            return Response(416, [*headers, ("Content-Range", f"bytes */{size}")])
        if found is not None and call.request.method == "GET":
            start, end = found
            headers.append(("Content-Range", f"bytes {start}-{end}/{size}"))
            stretches = entry.stretches(call.backend.objects, start, end - start + 1)
            return Response(206, headers, stretches, end - start + 1)
    if known:
        # Hexadecimal, as the real one sends it.
        headers.insert(0, ("Content-MD5", known.partition(":")[2]))
    # Something to send, be it nothing: a bare head would wait in the kernel for what follows.
    return Response(200, headers, entry.stretches(call.backend.objects) or (b"",), size)
