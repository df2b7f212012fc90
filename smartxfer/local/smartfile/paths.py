"""``path/info`` and the way out of ``path/data``: what stands at a path, below it, and in it.

Source: SmartFile protocol, section 5 (paths).
"""

import email.utils
import hashlib
import re
from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import quote

from smartxfer.local.exchange import Answer
from smartxfer.local.smartfile.answers import Refusal, field_error
from smartxfer.local.smartfile.call import Call
from smartxfer.local.smartfile.nodes import Node
from smartxfer.local.smartfile.paging import page_of

__all__ = ["download", "existing", "file_answer", "info", "progress", "remote", "set_attributes"]


_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})-(\d{0,18})", re.ASCII)


def info(call: Call) -> Answer:
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


def set_attributes(call: Call) -> Answer:
    """``attributes=KEY=value``, repeatable: sets attributes; answers the info object."""
    node = call.backend.tree.find(call.path)
    given = call.fields.all("attributes")
    if not given:
        raise field_error("attributes", "This field is required.")
    for one in given:
        name, equals, value = one.partition("=")
        if not name or not equals:
            raise field_error("attributes", f"Not KEY=value: {one}")
        call.backend.tree.nodes.set_attribute(node, name, value)
    return call.json(call.backend.info(node))


def progress(call: Call) -> Answer:
    """``path/progress/<uuid>/``: how much of an upload has come.

    Assumption: the answer has ``uuid``, ``received`` and ``size`` (null for a body in chunks), counted
    over the whole request body.
    """
    body = call.backend.uploads.get(call.words[0]) if len(call.words) == 1 else None
    if body is None:
        raise Refusal(404, {"detail": "Not found."})
    return call.json({"uuid": call.words[0], "received": body.received, "size": body.length})


def remote(text: str, field: str) -> str:
    """A remote path as an argument gives it, brought to the form ``/a/b``.

    :param text: with or without slashes at its ends.
    :param field: name of the argument.
    :raises Refusal: 400, it has a segment that is no name.
    """
    names = [name for name in text.split("/") if name]
    if any(name in (".", "..") or "\0" in name for name in names):
        raise field_error(field, f"Not a path: {text!r}")
    return "/" + "/".join(names)


def existing(call: Call, text: str, field: str, status: int) -> Node:
    """The entry that an argument names.

    :param status: of the refusal where there is none.
    :raises Refusal: there is none.
    """
    path = remote(text, field)
    node = call.backend.tree.node(path)
    if node is None:
        raise field_error(field, "Path does not exist: " + path, status)
    return node


def download(call: Call) -> Answer:
    """The bytes of a file; ``download=true`` makes them an attachment."""
    return file_answer(call, call.backend.tree.find_file(call.path))


def file_answer(call: Call, node: Node) -> Answer:
    """The bytes of a file, or the range that the call asks for.

    Assumption: 206 for a range, 416 for one that cannot be, validators ``ETag`` and
    ``Last-Modified``, the whole file for several ranges.
    """
    site, changed = call.backend.site, email.utils.formatdate(node.changed, usegmt=True)
    tag = '"{}"'.format(hashlib.sha1(f"{node.object} {node.changed} {node.size}".encode()).hexdigest()[:20])
    headers = [
        ("Content-Type", call.backend.mime(node)),
        ("Last-Modified", changed),
        ("ETag", tag),
    ]
    if call.query.on("download"):
        headers.append(("Content-Disposition", "attachment; filename*=UTF-8''" + quote(node.name, safe="")))
    asked = call.header("range")
    if not site.ranges:
        asked = ""
    else:
        headers.append(("Accept-Ranges", "bytes"))
    if call.header("if-range", tag) not in (tag, changed):
        asked = ""
    found = _RANGE.fullmatch(asked)
    if found is None or found.groups() == ("", ""):
        return Answer(200, headers, (call.backend.tree.span(node),))
    stretch = _stretch(found.group(1), found.group(2), node.size)
    if stretch is None:
        raise Refusal(416, {"detail": "Range not satisfiable."}, {"Content-Range": f"bytes */{node.size}"})
    start, count = stretch
    headers.append(("Content-Range", f"bytes {start}-{start + count - 1}/{node.size}"))
    return Answer(206, headers, (call.backend.tree.span(node, start, count),))


def _stretch(first: str, last: str, size: int) -> Optional[Tuple[int, int]]:
    """First byte and number of bytes of a range, None where the file has none of it."""
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    return (start, end - start + 1) if start <= end else None
