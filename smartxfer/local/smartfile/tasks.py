"""Tasks: operations that take their time, and what is said while they do: move, copy, remove and the like.

A task is done by the poll that says so: who does not wait for it finds the tree as it was. With
``task_polls`` of 0 it is done before its own request is answered.

A job takes the backend and the arguments that its task keeps, does what it can, and says what it
could not: ``errors`` by path.

Source: SmartFile protocol, section 5 (operations, tasks).
"""

import hashlib
import uuid
import zipfile
import zlib
from typing import Any, Callable, Dict, List

from smartxfer.local.objects import PIECE
from smartxfer.local.smartfile.call import ApiError, Backend, Call, Response, detail, field_error
from smartxfer.local.smartfile.nodes import Node, joined
from smartxfer.local.smartfile.paging import envelope

Arguments = Dict[str, Any]
Result = Dict[str, Any]

#: Names of checksums in capitals, and what computes them.
ALGORITHMS: Dict[str, Callable[[], Any]] = {
    "MD5": hashlib.md5,
    "SHA1": hashlib.sha1,
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
}


def _each(backend: Backend, paths: List[str], act: Callable[[Node], None]) -> Result:
    """Do something with each path; what fails is kept as its error, and the rest goes on."""
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

    return _each(backend, arguments["src"], act)


def _copy(backend: Backend, arguments: Arguments) -> Result:
    def act(node: Node) -> None:
        backend.tree.copy(node, _target(arguments, node))

    return _each(backend, arguments["src"], act)


def _target(arguments: Arguments, node: Node) -> str:
    dst: str = arguments["dst"]
    return joined(dst, node.name) if arguments["into"] else dst


def _remove(backend: Backend, arguments: Arguments) -> Result:
    def act(node: Node) -> None:
        if node.isdir and node.items and backend.site.refuse_nonempty:
            raise field_error("path", "Directory is not empty")
        backend.tree.remove(node)

    return _each(backend, arguments["path"], act)


def _checksum(backend: Backend, arguments: Arguments) -> Result:
    sums: Dict[str, str] = {}

    def act(node: Node) -> None:
        sums[node.path] = _sum(backend, backend.tree.find_file(node.path), arguments["algorithm"])

    return {"checksums": sums, **_each(backend, arguments["path"], act)}


def _sum(backend: Backend, node: Node, algorithm: str) -> str:
    """A checksum in hex. Assumption: CRC-32 has eight digits."""
    crc, digest = 0, ALGORITHMS[algorithm]() if algorithm in ALGORITHMS else None
    for piece in backend.tree.span(node).pieces(PIECE):
        if digest is None:
            crc = zlib.crc32(piece, crc)
        else:
            digest.update(piece)
    return f"{crc:08x}" if digest is None else digest.hexdigest()


def _compress(backend: Backend, arguments: Arguments) -> Result:
    """Put paths with everything below into a ZIP archive. Assumption: ``path`` of the result is its path."""
    target = joined(arguments["dst"], arguments["name"])
    with backend.tree.draft() as draft:
        with zipfile.ZipFile(draft.stream, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:

            def act(node: Node) -> None:
                # Names in the archive begin with the name that was asked for.
                above = len(node.path) - len(node.name)
                for one in backend.tree.walk(node):
                    if one.isdir:
                        archive.writestr(one.path[above:] + "/", b"")
                    else:
                        archive.write(backend.tree.object_path(one), one.path[above:])

            result = _each(backend, arguments["path"], act)
        backend.tree.replace(target, draft)
    return {"path": target, **result}


#: Jobs by the name of their operation.
JOBS: Dict[str, Callable[[Backend, Arguments], Result]] = {
    "move": _move,
    "copy": _copy,
    "remove": _remove,
    "checksum": _checksum,
    "compress": _compress,
}

Task = Dict[str, Any]


def start(call: Call, operation: str, arguments: Dict[str, Any]) -> Response:
    """Begin a task.

    :param operation: a name among :data:`JOBS`.
    :param arguments: what it works on; JSON can say it.
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
    backend.kept.put("task", task["uuid"], task)
    return call.json({"uuid": task["uuid"], "url": "/api/2/task/{}/".format(task["uuid"])})


def _finish(backend: Backend, task: Task) -> None:
    with backend.lock:
        try:
            result = JOBS[task["operation"]](backend, task["arguments"])
        except ApiError as refusal:
            # The job as a whole could not be done, such as an archive in a directory that is gone.
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
    """``task/`` lists tasks, ``task/<uuid>/`` tells how one is, which brings it on."""
    backend = call.backend
    if not call.words:
        shown = [_shown(task) for task in backend.kept.all("task")]
        return call.json(shown) if backend.site.task_list == "array" else envelope(call, shown)
    with backend.lock:
        task = backend.kept.get("task", call.words[0]) if len(call.words) == 1 else None
        if task is None:
            raise detail(404, "Not found.")
        if task["status"] in ("PENDING", "PROGRESS"):
            _advance(backend, task)
            backend.kept.put("task", task["uuid"], task)
    return call.json(_shown(task))


def _advance(backend: Backend, task: Task) -> None:
    if not task["polls"]:
        _finish(backend, task)
        return
    task["polls"] -= 1
    task["status"] = "PROGRESS" if task["begun"] else "PENDING"
    task["begun"] = True


def _shown(task: Task) -> Dict[str, Any]:
    """A task with its status where either generation of clients looks for it."""
    return {
        "uuid": task["uuid"],
        "url": "/api/2/task/{}/".format(task["uuid"]),
        "status": task["status"],
        "result": {"status": task["status"], "result": task["result"]},
    }
