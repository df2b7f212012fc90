"""Calls about files: list, measure, make, move and remove them.

Source: JetStream protocol, section 5.1.  Assumptions: the fields of an entry; that moving onto a folder moves
into it, and that nothing is written over.
"""

import os
import shutil
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Tuple

from smartxfer.local.jetstream.call import Call, RpcError, invalid_params
from smartxfer.local.jetstream.paths import Sandbox, is_within, join_segments, segments

Entry = Dict[str, Any]


def ls(call: Call) -> List[Entry]:
    """``lsAsync``: the entries of a folder, or of each of several; a file is its own entry."""
    view = _sandbox(call)
    return [entry for path in _paths(call) for entry in _list_folder(view, path)]


def ls_list(call: Call) -> Dict[str, List[Entry]]:
    """``lsListAsync``: the entries of each folder by its path."""
    view = _sandbox(call)
    return {path: _list_folder(view, path) for path in _paths(call)}


def ls_roots(call: Call) -> List[Entry]:
    """``lsRootsAsync``: the top folders."""
    view = _sandbox(call)
    return [_entry(view, path) for path in view.roots()]


def du(call: Call) -> int:
    """``duAsync``: total size at a path, or at each of several."""
    view = _sandbox(call)
    total = 0
    for path in _paths(call):
        with _os_errors(path):
            total += _measure(view, path)
    return total


def make_folder(call: Call) -> None:
    """``mkdirAsync``: create a folder and its parents, if missing."""
    real, path = _writable(call, "path")
    with _os_errors(path):
        if os.path.isfile(real):
            raise RpcError("InvalidState", f"{path}: a file is there")
        os.makedirs(real, exist_ok=True)


def make_file(call: Call) -> None:
    """``mkFileAsync``: create an empty file and its parents."""
    real, path = _writable(call, "path")
    with _os_errors(path):
        os.makedirs(os.path.dirname(real), exist_ok=True)
        with open(real, "xb"):
            pass


def move(call: Call) -> None:
    """``mvAsync``: move or rename a file or a folder; an existing folder as target receives it."""
    source, path = _writable(call, "from")
    target, into = _writable(call, "to", top=True)
    with _os_errors(path):
        place = target
        if os.path.isdir(target):
            place = os.path.join(target, segments(path)[-1])
        if not os.path.lexists(source):
            raise RpcError("NotFound", f"{path}: no such file or folder")
        if os.path.lexists(place):
            raise RpcError("InvalidState", f"{into}: something is there")
        if is_within(place, source):
            raise RpcError("InvalidState", f"{into}: lies in what is moved")
        os.rename(source, place)


def remove(call: Call) -> None:
    """``rmAsync``: remove a file, or a folder with everything in it."""
    real, path = _writable(call, "path")
    with _os_errors(path):
        if os.path.isdir(real) and not os.path.islink(real):
            shutil.rmtree(real)
        else:
            os.unlink(real)


def _sandbox(call: Call) -> Sandbox:
    return Sandbox(call.backend, call.user.name, call.user.folder)


def _paths(call: Call) -> List[str]:
    value = call.params.get("path")
    paths = [value] if isinstance(value, str) else value
    if not isinstance(paths, list) or not paths or not all(isinstance(path, str) for path in paths):
        raise invalid_params("path is a path, or a list of paths")
    return paths


def _writable(call: Call, name: str, top: bool = False) -> Tuple[str, str]:
    """Return the path on disk and the canonical path.

    :param top: accept a root.
    """
    path = call.text(name)
    view = _sandbox(call)
    if not top and view.is_top(path):
        raise RpcError("PermissionDenied", f"{path}: a root stays what it is")
    return view.real_path(path, follow=top), path


@contextmanager
def _os_errors(path: str) -> Iterator[None]:
    """Convert errors of the file system to errors of the API."""
    try:
        yield
    except FileNotFoundError:
        raise RpcError("NotFound", f"{path}: no such file or folder") from None
    except PermissionError:
        raise RpcError("PermissionDenied", f"{path}: the system does not permit it") from None
    except OSError as error:
        raise RpcError("InvalidState", f"{path}: {error.strerror}") from None


def _list_folder(view: Sandbox, path: str) -> List[Entry]:
    top = view.mappings is not None and not segments(path)
    with _os_errors(path):
        if not top and not os.path.isdir(view.existing_path(path)):
            return [_entry(view, path)]
        return [_entry(view, below) for below in view.names(path)]


def _entry(view: Sandbox, path: str) -> Entry:
    real = view.existing_path(path)
    state, folder = os.stat(real), os.path.isdir(real)
    shown_path = join_segments(path)
    return {
        "name": shown_path.rpartition("/")[2], "path": shown_path, "type": "directory" if folder else "file",
        "size": 0 if folder else state.st_size, "modifiedTime": state.st_mtime_ns // 1000,
    }


def _measure(view: Sandbox, path: str) -> int:
    if view.mappings is not None and not segments(path):
        return sum(_measure(view, below) for below in view.roots())
    real = view.existing_path(path)
    if not os.path.isdir(real):
        return os.stat(real).st_size
    return sum(
        os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(real) for name in names
    )
