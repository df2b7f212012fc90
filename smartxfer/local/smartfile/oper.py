"""``path/oper``: what can be refused at once is, the rest becomes a task.

Source: SmartFile protocol, sections 4 and 5 (operations).
"""

from typing import List

from smartxfer.local.smartfile.call import Call, Response, detail, field_error
from smartxfer.local.smartfile.nodes import Node, joined
from smartxfer.local.smartfile.paths import existing, remote
from smartxfer.local.smartfile.tasks import ALGORITHMS, start


def mkdir(call: Call) -> Response:
    """Make a directory, named by ``path`` or, with PUT, by the path of the call.

    Assumption: a directory that exists is answered like a new one; a missing one above it is a 404.
    """
    site, tree = call.backend.site, call.backend.tree
    path = call.path if call.words else remote(call.required("path"), "path")
    if site.mkdir_existing == "conflict" and tree.node(path) is not None:
        raise detail(409, "Destination exists:" + path)
    node = tree.make(path, parents=site.make_parents)
    call.backend.record("mkdir", node.path, call.user)
    return call.json(call.backend.info(node))


def rename(call: Call) -> Response:
    """Give ``src`` the full path ``dst``. Assumption: a name that exists is a 409."""
    node = existing(call, call.required("src"), "src", 400)
    moved = call.backend.tree.move(node, remote(call.required("dst"), "dst"))
    call.backend.record("rename", node.path, call.user)
    return call.json(call.backend.info(moved))


def move(call: Call) -> Response:
    """Move every ``src`` into the directory ``dst``, or one to the new name ``dst``.

    Assumption: a missing ``src`` is a 400 about that field.
    """
    sources = _sources(call)
    text = call.required("dst")
    dst = remote(text, "dst")
    target = call.backend.tree.node(dst)
    into = target is not None and target.isdir
    if target is not None and (not into or call.backend.site.strict_move):
        raise detail(409, "Destination exists:" + dst)
    if not into and (text.endswith("/") or len(sources) > 1):
        raise field_error("dst", "Directory does not exist: " + dst)
    _refuse_clashes(call, sources, dst, into)
    return start(call, "move", {"src": [node.path for node in sources], "dst": dst, "into": into})


def copy(call: Call) -> Response:
    """Copy every ``src`` into the directory ``dst``.

    Assumption: a name that exists there is a 409; a ``dst`` that is no directory is a 400.
    """
    sources = _sources(call)
    dst = remote(call.required("dst"), "dst")
    target = call.backend.tree.node(dst)
    if target is None or not target.isdir:
        raise field_error("dst", "Directory does not exist: " + dst)
    _refuse_clashes(call, sources, dst, True)
    return start(call, "copy", {"src": [node.path for node in sources], "dst": dst, "into": True})


def _sources(call: Call) -> List[Node]:
    call.required("src")
    sources = [existing(call, text, "src", 400) for text in call.fields.all("src")]
    if any(not node.parent for node in sources):
        raise field_error("src", "The root stays where it is.")
    return sources


def _refuse_clashes(call: Call, sources: List[Node], dst: str, into: bool) -> None:
    tree = call.backend.tree
    for node in sources:
        path = joined(dst, node.name) if into else dst
        if node.isdir and (path + "/").startswith(node.path + "/"):
            raise field_error("dst", "Cannot go into itself: " + path)
        if into and tree.node(path) is not None:
            raise detail(409, "Destination exists:" + path)


def remove(call: Call) -> Response:
    """Remove every ``path``, directories with their contents; one that is missing is a 404 at once."""
    paths = [call.path] if call.words else [remote(text, "path") for text in _paths(call)]
    for path in paths:
        if not call.backend.tree.find(path).parent:
            raise field_error("path", "The root stays where it is.")
    return start(call, "remove", {"path": paths})


def _paths(call: Call) -> List[str]:
    call.required("path")
    return call.fields.all("path")


def checksum(call: Call) -> Response:
    """Checksums of every ``path`` by ``algorithm``. Assumption: a missing path is a 404 at once."""
    paths = [call.backend.tree.find(remote(text, "path")).path for text in _paths(call)]
    algorithm = call.required("algorithm").upper()
    if algorithm not in ALGORITHMS and algorithm != "CRC-32":
        raise field_error("algorithm", "Select a valid choice: {}, CRC-32.".format(", ".join(ALGORITHMS)))
    return start(call, "checksum", {"path": paths, "algorithm": algorithm})


def compress(call: Call) -> Response:
    """Put every ``path`` into the ZIP archive ``name`` in the directory ``dst``.

    Assumption: an archive of that name is overwritten, as an upload would do.
    """
    paths = [call.backend.tree.find(remote(text, "path")).path for text in _paths(call)]
    name = call.required("name")
    if "/" in name or remote(name, "name") == "/":
        raise field_error("name", f"Not a name: {name!r}")
    dst = call.backend.tree.find_directory(remote(call.required("dst"), "dst")).path
    return start(call, "compress", {"path": paths, "dst": dst, "name": name})
