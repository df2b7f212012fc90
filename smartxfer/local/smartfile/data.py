"""``path/data``: the bytes of files on their way in, and files taken away.

Source: SmartFile protocol, sections 5 (paths, upload by form) and 6 (API 3).
"""

import os
import re
from typing import List

from werkzeug.http import parse_date

from smartxfer.local.objects import pour, write_all
from smartxfer.local.smartfile.answers import json_response
from smartxfer.local.smartfile.call import ApiError, Call, Response, detail, required
from smartxfer.local.smartfile.nodes import Node, joined
from smartxfer.local.smartfile.paths import remote
from smartxfer.local.smartfile.uploads import receive

_FROM = re.compile(r"bytes\s*=\s*(\d{1,18})-", re.ASCII)


def upload(call: Call) -> Response:
    """Files by form into the directory that is the path; existing ones are overwritten.

    Assumption: a missing directory is a 404, whether it stands in the path or in a file's name.
    """
    backend = call.backend
    _directory(call, call.path)
    with receive(call) as files:
        if not files:
            raise required("file")
        targets = [remote(joined(call.path, part.filename), part.field) for part in files]
        for target in targets:
            _directory(call, os.path.dirname(target))
        nodes: List[Node] = []
        for part, target in zip(files, targets):
            nodes.append(backend.tree.replace(target, part.draft))
            backend.record("upload", target, call.user)
    infos = [backend.info(node) for node in nodes]
    one = backend.site.upload_answer == "object" and len(infos) == 1
    return call.json(infos[0] if one else infos, backend.site.upload_status)


def _directory(call: Call, path: str) -> None:
    tree = call.backend.tree
    if call.backend.site.make_parents:
        tree.make(path, parents=True)
    else:
        tree.find_directory(path)


# API 3. Errors of PUT and PATCH are told in an answer with status 200.


def put(call: Call) -> Response:
    """A whole file as raw body; the name is the last segment of the path."""
    try:
        return _put(call)
    except ApiError as refusal:
        return _told(call, refusal)


def _put(call: Call) -> Response:
    backend = call.backend
    _directory(call, os.path.dirname(call.path))
    with backend.tree.draft() as draft:
        pour(call.request.body, lambda piece, _at: draft.stream.write(piece))
        node = backend.tree.replace(call.path, draft)
    backend.record("upload", node.path, call.user)
    return call.json(backend.info(node))


def append(call: Call) -> Response:
    """Bytes from the offset in the ``Range`` header on; what came before a broken connection stays.

    Assumption: the offset is where the file ends, anything else is told as 416; a file that changed
    since ``If-Unmodified-Since`` is told as 412.
    """
    try:
        return _append(call)
    except ApiError as refusal:
        return _told(call, refusal)


def _append(call: Call) -> Response:
    backend = call.backend
    node = backend.tree.find_file(call.path)
    found = _FROM.fullmatch(call.header("range"))
    if found is None:
        raise detail(400, "A header such as Range: bytes=1000- says where to append.")
    if int(found.group(1)) != node.size:
        raise detail(416, f"The file ends at {node.size}.")
    since = parse_date(call.header("if-unmodified-since"))
    if since is not None and int(node.changed) > since.timestamp():
        raise detail(412, "The file has changed.")
    descriptor = os.open(backend.tree.object_path(node), os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        # A killed process may have left more than was noted.
        os.ftruncate(descriptor, node.size)
        pour(call.request.body, lambda piece, at: write_all(descriptor, piece, node.size + at))
    finally:
        end = os.fstat(descriptor).st_size
        os.close(descriptor)
        backend.tree.grown(node, end)
    backend.record("upload", node.path, call.user)
    return call.json(backend.info(backend.tree.find(call.path)))


def delete(call: Call) -> Response:
    """Remove one file at once."""
    node = call.backend.tree.find_file(call.path)
    call.backend.tree.remove(node)
    call.backend.record("remove", node.path, call.user)
    return call.empty()


def _told(call: Call, error: ApiError) -> Response:
    return json_response(call.backend.site, {"detail": error.text, "status": error.status})
