"""What tasks do: move, copy, remove, checksum, compress.

A job takes the backend and the arguments that its task keeps, does what it can, and says what it
could not: ``errors`` by path.

Source: SmartFile protocol, section 5 (operations).
"""

import hashlib
import zipfile
import zlib
from typing import Any, Callable, Dict, List

from smartxfer.local.smartfile.answers import ApiError, field_error
from smartxfer.local.smartfile.backend import Backend
from smartxfer.local.smartfile.nodes import Node, joined

__all__ = ["ALGORITHMS", "JOBS"]

Arguments = Dict[str, Any]
Result = Dict[str, Any]

#: Names of checksums in capitals, and what computes them.
ALGORITHMS: Dict[str, Callable[[], Any]] = {
    "MD5": hashlib.md5,
    "SHA1": hashlib.sha1,
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
}
_PIECE = 1 << 20


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
    buffer = memoryview(bytearray(_PIECE))
    left = node.size
    with open(backend.tree.object_path(node), "rb", buffering=0) as stream:
        while left:
            count = stream.readinto(buffer[: min(left, _PIECE)])
            if not count:
                break
            left -= count
            if digest is None:
                crc = zlib.crc32(buffer[:count], crc)
            else:
                digest.update(buffer[:count])
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
