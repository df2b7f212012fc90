"""``path/info`` and downloads from ``path/data``.

Source: SmartFile protocol, section 5 (paths).
"""

import hashlib
from typing import Any, Dict, List
from urllib.parse import quote

from werkzeug.http import http_date

from smartxfer.local.http_ranges import RangeNotSatisfiable, requested_range
from smartxfer.local.smartfile.call import Call, Response, error_detail, field_error
from smartxfer.local.smartfile.file_nodes import Node
from smartxfer.local.smartfile.pages import parse_page


def info(call: Call) -> Response:
    """Return the info object of a path, with ``children``: a page of its entries, in version 2.1 all.

    Assumption: ``fields`` selects fields of the object and its children; ``children`` of a file
    are an empty list.
    """
    backend, requested = call.backend, call.query.all("fields")
    node = backend.tree.find(call.path)
    value = _select_fields(backend.info(node), requested)
    if not call.query.is_on("children"):
        return call.json(value)
    total = node.items if node.isdir else 0
    if call.version == "2.1":
        children = backend.tree.children(node)
    else:
        page = parse_page(call, total)
        children = backend.tree.children(node, page.start, page.size) if node.isdir else []
        value.update(page.counts())
    value["children"] = [_select_fields(backend.info(child), requested) for child in children]
    return call.json(value)


def _select_fields(value: Dict[str, Any], requested: List[str]) -> Dict[str, Any]:
    return {name: value[name] for name in value if name in requested} if requested else value


def set_attributes(call: Call) -> Response:
    """Set attributes by ``attributes=KEY=value``, repeatable; return the info object."""
    node = call.backend.tree.find(call.path)
    attributes = call.fields.all("attributes")
    if not attributes:
        raise field_error("attributes", "This field is required.")
    for attribute in attributes:
        name, equals, value = attribute.partition("=")
        if not name or not equals:
            raise field_error("attributes", f"Not KEY=value: {attribute}")
        call.backend.tree.set_attribute(node, name, value)
    return call.json(call.backend.info(node))


def progress(call: Call) -> Response:
    """``path/progress/<uuid>/``: return the progress of an upload.

    Assumption: the response has ``uuid``, ``received`` and ``size`` (null for a body in chunks), counted
    over the whole request body.
    """
    body = call.backend.uploads.get(call.segments[0]) if len(call.segments) == 1 else None
    if body is None:
        raise error_detail(404, "Not found.")
    return call.json({"uuid": call.segments[0], "received": body.received, "size": body.length})


def parse_path(text: str, field: str) -> str:
    """Return a remote path in an argument in the form ``/a/b``.

    :param text: with or without slashes at its ends.
    :param field: name of the argument.
    :raises ApiError: 400, it contains an invalid name.
    """
    names = [name for name in text.split("/") if name]
    if any(name in (".", "..") or "\0" in name for name in names):
        raise field_error(field, f"Not a path: {text!r}")
    return "/" + "/".join(names)


def require_node(call: Call, text: str, field: str, status: int) -> Node:
    """Return the entry that an argument names.

    :param status: status of the error.
    :raises ApiError: it does not exist.
    """
    path = parse_path(text, field)
    node = call.backend.tree.node(path)
    if node is None:
        raise field_error(field, "Path does not exist: " + path, status)
    return node


def download(call: Call) -> Response:
    """Return the bytes of a file, as an attachment with ``download=true``."""
    return file_response(call, call.backend.tree.find_file(call.path))


def file_response(call: Call, node: Node) -> Response:
    """Return the bytes of a file, or the requested range.

    Assumption: 206 for a range, 416 for one that is not satisfiable, validators ``ETag`` and
    ``Last-Modified``, the whole file for several ranges.
    """
    changed, size, file_slice = http_date(node.changed), node.size, call.backend.tree.file_slice
    tag = '"{}"'.format(hashlib.sha1(f"{node.object} {node.changed} {size}".encode()).hexdigest()[:20])
    headers = [("Content-Type", call.backend.mime(node)), ("Last-Modified", changed), ("ETag", tag)]
    if call.query.is_on("download"):
        headers.append(("Content-Disposition", "attachment; filename*=UTF-8''" + quote(node.name, safe="")))
    if not call.backend.site.ranges:
        return Response(200, headers, (file_slice(node),))
    headers.append(("Accept-Ranges", "bytes"))
    try:
        requested = requested_range(call.request.headers, size, tag, changed, strict=True)
    except RangeNotSatisfiable:
        raise error_detail(416, "Range not satisfiable.", ("Content-Range", f"bytes */{size}")) from None
    if requested is None:
        return Response(200, headers, (file_slice(node),))
    start, end = requested
    headers.append(("Content-Range", f"bytes {start}-{end}/{size}"))
    return Response(206, headers, (file_slice(node, start, end - start + 1),))
