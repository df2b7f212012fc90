"""``path/data``: uploads and deletion of files.

Source: SmartFile protocol, sections 5 (paths, upload by form) and 6 (API 3).
"""

import os
import re
from typing import List

from werkzeug.http import parse_date

from smartxfer.local.object_store import copy_body, write_all
from smartxfer.local.smartfile.api_responses import json_response
from smartxfer.local.smartfile.call import ApiError, Call, Response, error_detail, missing_fields
from smartxfer.local.smartfile.file_nodes import Node, join_path
from smartxfer.local.smartfile.path_info import parse_path
from smartxfer.local.smartfile.uploads import receive

_FROM = re.compile(r"bytes\s*=\s*(\d{1,18})-", re.ASCII)


def upload(call: Call) -> Response:
    """Store files of a form in the directory of the path; existing files are overwritten.

    Assumption: a missing directory is a 404, in the path or in a file's name.
    """
    backend = call.backend
    _directory(call, call.path)
    with receive(call) as files:
        if not files:
            raise missing_fields("file")
        targets = [parse_path(join_path(call.path, part.filename), part.field) for part in files]
        for target in targets:
            _directory(call, os.path.dirname(target))
        nodes: List[Node] = []
        for part, target in zip(files, targets):
            nodes.append(backend.tree.replace(target, part.draft))
            backend.record("upload", target, call.user)
    infos = [backend.info(node) for node in nodes]
    as_object = backend.site.upload_answer == "object" and len(infos) == 1
    return call.json(infos[0] if as_object else infos, backend.site.upload_status)


def _directory(call: Call, path: str) -> None:
    tree = call.backend.tree
    if call.backend.site.make_parents:
        tree.make(path, parents=True)
    else:
        tree.find_directory(path)


# API 3. Errors of PUT and PATCH are reported with status 200.


def put(call: Call) -> Response:
    """Store a file from the raw body."""
    try:
        return _put(call)
    except ApiError as refusal:
        return _upload_error(call, refusal)


def _put(call: Call) -> Response:
    backend = call.backend
    _directory(call, os.path.dirname(call.path))
    with backend.tree.new_file() as draft:
        copy_body(call.request.body, lambda piece, _at: draft.stream.write(piece))
        node = backend.tree.replace(call.path, draft)
    backend.record("upload", node.path, call.user)
    return call.json(backend.info(node))


def append(call: Call) -> Response:
    """Append bytes at the offset in the ``Range`` header; received bytes stay after a broken connection.

    Assumption: the offset must be the end of the file, otherwise the error is 416; a file that changed
    since ``If-Unmodified-Since`` is an error 412.
    """
    try:
        return _append(call)
    except ApiError as refusal:
        return _upload_error(call, refusal)


def _append(call: Call) -> Response:
    backend = call.backend
    node = backend.tree.find_file(call.path)
    match = _FROM.fullmatch(call.header("range"))
    if match is None:
        raise error_detail(400, "A header such as Range: bytes=1000- says where to append.")
    if int(match.group(1)) != node.size:
        raise error_detail(416, f"The file ends at {node.size}.")
    since = parse_date(call.header("if-unmodified-since"))
    if since is not None and int(node.changed) > since.timestamp():
        raise error_detail(412, "The file has changed.")
    descriptor = os.open(backend.tree.object_path(node), os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        # A killed process may have written more than it recorded.
        os.ftruncate(descriptor, node.size)
        copy_body(call.request.body, lambda piece, at: write_all(descriptor, piece, node.size + at))
    finally:
        end = os.fstat(descriptor).st_size
        os.close(descriptor)
        backend.tree.record_growth(node, end)
    backend.record("upload", node.path, call.user)
    return call.json(backend.info(backend.tree.find(call.path)))


def delete(call: Call) -> Response:
    """Remove one file without a task."""
    node = call.backend.tree.find_file(call.path)
    call.backend.tree.remove(node)
    call.backend.record("remove", node.path, call.user)
    return call.empty()


def _upload_error(call: Call, error: ApiError) -> Response:
    return json_response(call.backend.site, {"detail": error.text, "status": error.status})
