"""``path/info`` and the way out of ``path/data``: what stands at a path, below it, and in it.

Source: SmartFile protocol, section 5 (paths).
"""

import hashlib
from typing import Any, Dict, List
from urllib.parse import quote

from werkzeug.http import http_date

from smartxfer.local.http_ranges import RangeNotSatisfiable, requested_range
from smartxfer.local.smartfile.call import Call, Response, detail, field_error
from smartxfer.local.smartfile.nodes import Node
from smartxfer.local.smartfile.paging import page_of


def info(call: Call) -> Response:
    """The info object of a path, with ``children`` a page of what is below, in version 2.1 all of it.

    Assumption: ``fields`` thins out the object itself and its children alike; ``children`` of a file
    are an empty list.
    """
    backend, wanted = call.backend, call.query.all("fields")
    node = backend.tree.find(call.path)
    value = _thinned(backend.info(node), wanted)
    if not call.query.on("children"):
        return call.json(value)
    total = node.items if node.isdir else 0
    if call.version == "2.1":
        children = backend.tree.children(node)
    else:
        page = page_of(call, total)
        children = backend.tree.children(node, page.start, page.size) if node.isdir else []
        value.update(page.figures())
    value["children"] = [_thinned(backend.info(child), wanted) for child in children]
    return call.json(value)


def _thinned(value: Dict[str, Any], wanted: List[str]) -> Dict[str, Any]:
    return {name: value[name] for name in value if name in wanted} if wanted else value


def set_attributes(call: Call) -> Response:
    """``attributes=KEY=value``, repeatable: sets attributes; answers the info object."""
    node = call.backend.tree.find(call.path)
    given = call.fields.all("attributes")
    if not given:
        raise field_error("attributes", "This field is required.")
    for one in given:
        name, equals, value = one.partition("=")
        if not name or not equals:
            raise field_error("attributes", f"Not KEY=value: {one}")
        call.backend.tree.set_attribute(node, name, value)
    return call.json(call.backend.info(node))


def progress(call: Call) -> Response:
    """``path/progress/<uuid>/``: how much of an upload has come.

    Assumption: the answer has ``uuid``, ``received`` and ``size`` (null for a body in chunks), counted
    over the whole request body.
    """
    body = call.backend.uploads.get(call.words[0]) if len(call.words) == 1 else None
    if body is None:
        raise detail(404, "Not found.")
    return call.json({"uuid": call.words[0], "received": body.received, "size": body.length})


def remote(text: str, field: str) -> str:
    """A remote path as an argument gives it, brought to the form ``/a/b``.

    :param text: with or without slashes at its ends.
    :param field: name of the argument.
    :raises ApiError: 400, it has a segment that is no name.
    """
    names = [name for name in text.split("/") if name]
    if any(name in (".", "..") or "\0" in name for name in names):
        raise field_error(field, f"Not a path: {text!r}")
    return "/" + "/".join(names)


def existing(call: Call, text: str, field: str, status: int) -> Node:
    """The entry that an argument names.

    :param status: of the refusal where there is none.
    :raises ApiError: there is none.
    """
    path = remote(text, field)
    node = call.backend.tree.node(path)
    if node is None:
        raise field_error(field, "Path does not exist: " + path, status)
    return node


def download(call: Call) -> Response:
    """The bytes of a file; ``download=true`` makes them an attachment."""
    return file_answer(call, call.backend.tree.find_file(call.path))


def file_answer(call: Call, node: Node) -> Response:
    """The bytes of a file, or the range that the call asks for.

    Assumption: 206 for a range, 416 for one that cannot be, validators ``ETag`` and
    ``Last-Modified``, the whole file for several ranges.
    """
    changed, size, span = http_date(node.changed), node.size, call.backend.tree.span
    tag = '"{}"'.format(hashlib.sha1(f"{node.object} {node.changed} {size}".encode()).hexdigest()[:20])
    headers = [("Content-Type", call.backend.mime(node)), ("Last-Modified", changed), ("ETag", tag)]
    if call.query.on("download"):
        headers.append(("Content-Disposition", "attachment; filename*=UTF-8''" + quote(node.name, safe="")))
    if not call.backend.site.ranges:
        return Response(200, headers, (span(node),))
    headers.append(("Accept-Ranges", "bytes"))
    try:
        wanted = requested_range(call.request.headers, size, tag, changed, strict=True)
    except RangeNotSatisfiable:
        raise detail(416, "Range not satisfiable.", ("Content-Range", f"bytes */{size}")) from None
    if wanted is None:
        return Response(200, headers, (span(node),))
    start, end = wanted
    headers.append(("Content-Range", f"bytes {start}-{end}/{size}"))
    return Response(206, headers, (span(node, start, end - start + 1),))
