"""``path/oper``: operations, checked immediately and executed as tasks.

Source: SmartFile protocol, sections 4 and 5 (operations).
"""

from typing import List

from smartxfer.local.smartfile.call import Call, Response, error_detail, field_error
from smartxfer.local.smartfile.file_nodes import Node, join_path
from smartxfer.local.smartfile.path_info import parse_path, require_node
from smartxfer.local.smartfile.tasks import ALGORITHMS, start


def mkdir(call: Call) -> Response:
    """Make a directory, named by ``path`` or, with PUT, by the path of the call.

    Assumption: an existing directory is treated like a new one; a missing parent is a 404.
    """
    site, tree = call.backend.site, call.backend.tree
    path = call.path if call.segments else parse_path(call.required("path"), "path")
    if site.mkdir_existing == "conflict" and tree.node(path) is not None:
        raise error_detail(409, "Destination exists:" + path)
    node = tree.make(path, parents=site.make_parents)
    call.backend.record("mkdir", node.path, call.user)
    return call.json(call.backend.info(node))


def rename(call: Call) -> Response:
    """Rename ``src`` to the full path ``dst``. Assumption: an existing name is a 409."""
    node = require_node(call, call.required("src"), "src", 400)
    moved_node = call.backend.tree.move(node, parse_path(call.required("dst"), "dst"))
    call.backend.record("rename", node.path, call.user)
    return call.json(call.backend.info(moved_node))


def move(call: Call) -> Response:
    """Move every ``src`` into the directory ``dst``, or one to the new name ``dst``.

    Assumption: a missing ``src`` is a 400 about that field.
    """
    sources = _sources(call)
    text = call.required("dst")
    dst = parse_path(text, "dst")
    target = call.backend.tree.node(dst)
    into = target is not None and target.isdir
    if target is not None and (not into or call.backend.site.strict_move):
        raise error_detail(409, "Destination exists:" + dst)
    if not into and (text.endswith("/") or len(sources) > 1):
        raise field_error("dst", "Directory does not exist: " + dst)
    _check_clashes(call, sources, dst, into)
    return start(call, "move", {"src": [node.path for node in sources], "dst": dst, "into": into})


def copy(call: Call) -> Response:
    """Copy every ``src`` into the directory ``dst``.

    Assumption: an existing name is a 409; a ``dst`` that is not a directory is a 400.
    """
    sources = _sources(call)
    dst = parse_path(call.required("dst"), "dst")
    target = call.backend.tree.node(dst)
    if target is None or not target.isdir:
        raise field_error("dst", "Directory does not exist: " + dst)
    _check_clashes(call, sources, dst, True)
    return start(call, "copy", {"src": [node.path for node in sources], "dst": dst, "into": True})


def _sources(call: Call) -> List[Node]:
    call.required("src")
    sources = [require_node(call, text, "src", 400) for text in call.fields.all("src")]
    if any(not node.parent for node in sources):
        raise field_error("src", "The root stays where it is.")
    return sources


def _check_clashes(call: Call, sources: List[Node], dst: str, into: bool) -> None:
    tree = call.backend.tree
    for node in sources:
        path = join_path(dst, node.name) if into else dst
        if node.isdir and (path + "/").startswith(node.path + "/"):
            raise field_error("dst", "Cannot go into itself: " + path)
        if into and tree.node(path) is not None:
            raise error_detail(409, "Destination exists:" + path)


def remove(call: Call) -> Response:
    """Remove every ``path``, directories with their contents; a missing one is an immediate 404."""
    paths = [call.path] if call.segments else [parse_path(text, "path") for text in _paths(call)]
    for path in paths:
        if not call.backend.tree.find(path).parent:
            raise field_error("path", "The root stays where it is.")
    return start(call, "remove", {"path": paths})


def _paths(call: Call) -> List[str]:
    call.required("path")
    return call.fields.all("path")


def checksum(call: Call) -> Response:
    """Compute checksums of every ``path``. Assumption: a missing path is an immediate 404."""
    paths = [call.backend.tree.find(parse_path(text, "path")).path for text in _paths(call)]
    algorithm = call.required("algorithm").upper()
    if algorithm not in ALGORITHMS and algorithm != "CRC-32":
        raise field_error("algorithm", "Select a valid choice: {}, CRC-32.".format(", ".join(ALGORITHMS)))
    return start(call, "checksum", {"path": paths, "algorithm": algorithm})


def compress(call: Call) -> Response:
    """Put every ``path`` into the ZIP archive ``name`` in the directory ``dst``.

    Assumption: an archive of that name is overwritten, as an upload would do.
    """
    paths = [call.backend.tree.find(parse_path(text, "path")).path for text in _paths(call)]
    name = call.required("name")
    if "/" in name or parse_path(name, "name") == "/":
        raise field_error("name", f"Not a name: {name!r}")
    dst = call.backend.tree.find_directory(parse_path(call.required("dst"), "dst")).path
    return start(call, "compress", {"path": paths, "dst": dst, "name": name})
