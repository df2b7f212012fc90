"""Tasks: long operations such as move, copy and remove, and polls for their status.

A task is executed by the poll that reports its end: before that the tree is unchanged. With
``task_polls`` of 0 it is executed before the response to its own request.

An operation is called with the backend and the arguments of its task, and returns its errors:
``errors`` by path.

Source: SmartFile protocol, section 5 (operations, tasks).
"""

import hashlib
import uuid
import zipfile
import zlib
from typing import Any, Callable, Dict, List

from smartxfer.local.object_store import PIECE
from smartxfer.local.smartfile.call import ApiError, Backend, Call, Response, error_detail, field_error
from smartxfer.local.smartfile.file_nodes import Node, join_path
from smartxfer.local.smartfile.pages import envelope

Arguments = Dict[str, Any]
Result = Dict[str, Any]

#: Functions of the checksums by upper-case name.
ALGORITHMS: Dict[str, Callable[[], Any]] = {
    "MD5": hashlib.md5, "SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512,
}


def _for_each(backend: Backend, paths: List[str], act: Callable[[Node], None]) -> Result:
    """Call a function with each path, and collect errors."""
    errors: Dict[str, str] = {}
    for path in paths:
        try:
            if path in backend.site.task_errors:
                errors[path] = backend.site.task_errors[path]
            else:
                act(backend.tree.find(path))
        except ApiError as refusal:
            errors[path] = refusal.text
    return {"errors": errors} if errors else {}


def _move(backend: Backend, arguments: Arguments) -> Result:
    def act(node: Node) -> None:
        backend.tree.move(node, _target(arguments, node))

    return _for_each(backend, arguments["src"], act)


def _copy(backend: Backend, arguments: Arguments) -> Result:
    def act(node: Node) -> None:
        backend.tree.copy(node, _target(arguments, node))

    return _for_each(backend, arguments["src"], act)


def _target(arguments: Arguments, node: Node) -> str:
    dst: str = arguments["dst"]
    return join_path(dst, node.name) if arguments["into"] else dst


def _remove(backend: Backend, arguments: Arguments) -> Result:
    def act(node: Node) -> None:
        if node.isdir and node.items and backend.site.refuse_nonempty:
            raise field_error("path", "Directory is not empty")
        backend.tree.remove(node)

    return _for_each(backend, arguments["path"], act)


def _checksum(backend: Backend, arguments: Arguments) -> Result:
    digests: Dict[str, str] = {}

    def act(node: Node) -> None:
        digests[node.path] = _file_digest(backend, backend.tree.find_file(node.path), arguments["algorithm"])

    return {"checksums": digests, **_for_each(backend, arguments["path"], act)}


def _file_digest(backend: Backend, node: Node, algorithm: str) -> str:
    """Return a checksum in hex. Assumption: CRC-32 has eight digits."""
    crc, digest = 0, ALGORITHMS[algorithm]() if algorithm in ALGORITHMS else None
    for piece in backend.tree.file_slice(node).pieces(PIECE):
        if digest is None:
            crc = zlib.crc32(piece, crc)
        else:
            digest.update(piece)
    return f"{crc:08x}" if digest is None else digest.hexdigest()


def _compress(backend: Backend, arguments: Arguments) -> Result:
    """Write paths recursively into a ZIP archive. Assumption: ``path`` of the result is its path."""
    target = join_path(arguments["dst"], arguments["name"])
    with backend.tree.new_file() as draft:
        with zipfile.ZipFile(draft.stream, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:

            def act(node: Node) -> None:
                # Names in the archive begin with the requested name.
                above = len(node.path) - len(node.name)
                for child in backend.tree.walk(node):
                    if child.isdir:
                        archive.writestr(child.path[above:] + "/", b"")
                    else:
                        archive.write(backend.tree.object_path(child), child.path[above:])

            result = _for_each(backend, arguments["path"], act)
        backend.tree.replace(target, draft)
    return {"path": target, **result}


#: Functions by operation.
OPERATIONS: Dict[str, Callable[[Backend, Arguments], Result]] = {
    "move": _move, "copy": _copy, "remove": _remove, "checksum": _checksum, "compress": _compress,
}

Task = Dict[str, Any]


def start(call: Call, operation: str, arguments: Dict[str, Any]) -> Response:
    """Start a task.

    :param operation: a name in :data:`OPERATIONS`.
    :param arguments: its arguments, JSON serializable.
    """
    backend = call.backend
    task: Task = {
        "uuid": str(uuid.uuid4()), "operation": operation, "arguments": arguments, "user": call.user,
        "polls": backend.site.task_polls,
        "begun": False,
        "status": "PENDING",
        "result": {},
    }
    if not task["polls"]:
        _finish(backend, task)
    backend.json_store.put("task", task["uuid"], task)
    return call.json({"uuid": task["uuid"], "url": "/api/2/task/{}/".format(task["uuid"])})


def _finish(backend: Backend, task: Task) -> None:
    with backend.lock:
        try:
            result = OPERATIONS[task["operation"]](backend, task["arguments"])
        except ApiError as refusal:
            # The operation as a whole failed, such as an archive in a deleted directory.
            result = {"errors": {"": str(refusal.message)}}
            task["status"] = "FAILURE"
        else:
            failed = bool(result.get("errors")) and backend.site.task_failure
            task["status"] = "FAILURE" if failed else "SUCCESS"
    task["result"] = result
    arguments = task["arguments"]
    for path in arguments.get("src") or arguments["path"]:
        backend.record(task["operation"], path, task["user"])


def poll(call: Call) -> Response:
    """``task/`` lists tasks, ``task/<uuid>/`` returns the status of one and advances it."""
    backend = call.backend
    if not call.segments:
        serialized = [_serialize(task) for task in backend.json_store.all("task")]
        return call.json(serialized) if backend.site.task_list == "array" else envelope(call, serialized)
    with backend.lock:
        task = backend.json_store.get("task", call.segments[0]) if len(call.segments) == 1 else None
        if task is None:
            raise error_detail(404, "Not found.")
        if task["status"] in ("PENDING", "PROGRESS"):
            _advance(backend, task)
            backend.json_store.put("task", task["uuid"], task)
    return call.json(_serialize(task))


def _advance(backend: Backend, task: Task) -> None:
    if not task["polls"]:
        _finish(backend, task)
        return
    task["polls"] -= 1
    task["status"] = "PROGRESS" if task["begun"] else "PENDING"
    task["begun"] = True


def _serialize(task: Task) -> Dict[str, Any]:
    """Return a task with its status in both formats that clients read."""
    return {
        "uuid": task["uuid"], "url": "/api/2/task/{}/".format(task["uuid"]), "status": task["status"],
        "result": {"status": task["status"], "result": task["result"]},
    }
