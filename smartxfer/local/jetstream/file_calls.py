"""Calls about files: list, measure, make, move and remove them.

Source: JetStream protocol, section 5.1.  Assumptions: the fields of an entry; that moving onto a folder moves
into it, and that nothing is written over.
"""

import os
import shutil
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Tuple

from smartxfer.local.jetstream.call import Call, RpcError, bad
from smartxfer.local.jetstream.paths import View, joined, segments, within

Entry = Dict[str, Any]


def ls(call: Call) -> List[Entry]:
    """``lsAsync``: the entries of a folder, or of each of several; a file is its own entry."""
    view = _view(call)
    return [entry for path in _paths(call) for entry in _listed(view, path)]


def ls_list(call: Call) -> Dict[str, List[Entry]]:
    """``lsListAsync``: the entries of each folder by its path."""
    view = _view(call)
    return {path: _listed(view, path) for path in _paths(call)}


def ls_roots(call: Call) -> List[Entry]:
    """``lsRootsAsync``: the folders in which everything lies."""
    view = _view(call)
    return [_entry(view, path) for path in view.roots()]


def du(call: Call) -> int:
    """``duAsync``: bytes of everything at a path, or at each of several."""
    view = _view(call)
    total = 0
    for path in _paths(call):
        with _errors_of(path):
            total += _measured(view, path)
    return total


def make_folder(call: Call) -> None:
    """``mkdirAsync``: make a folder and those above it; one that exists stays."""
    real, path = _writable(call, "path")
    with _errors_of(path):
        if os.path.isfile(real):
            raise RpcError("InvalidState", f"{path}: a file is there")
        os.makedirs(real, exist_ok=True)


def make_file(call: Call) -> None:
    """``mkFileAsync``: make an empty file, and the folders above it."""
    real, path = _writable(call, "path")
    with _errors_of(path):
        os.makedirs(os.path.dirname(real), exist_ok=True)
        with open(real, "xb"):
            pass


def move(call: Call) -> None:
    """``mvAsync``: move or rename a file or a folder; onto a folder moves it in there."""
    source, path = _writable(call, "from")
    target, into = _writable(call, "to", top=True)
    with _errors_of(path):
        place = target
        if os.path.isdir(target):
            place = os.path.join(target, segments(path)[-1])
        if not os.path.lexists(source):
            raise RpcError("NotFound", f"{path}: no such file or folder")
        if os.path.lexists(place):
            raise RpcError("InvalidState", f"{into}: something is there")
        if within(place, source):
            raise RpcError("InvalidState", f"{into}: lies in what is moved")
        os.rename(source, place)


def remove(call: Call) -> None:
    """``rmAsync``: remove a file, or a folder with everything in it."""
    real, path = _writable(call, "path")
    with _errors_of(path):
        if os.path.isdir(real) and not os.path.islink(real):
            shutil.rmtree(real)
        else:
            os.unlink(real)


def _view(call: Call) -> View:
    return View(call.backend, call.person.name, call.person.bound)


def _paths(call: Call) -> List[str]:
    given = call.params.get("path")
    paths = [given] if isinstance(given, str) else given
    if not isinstance(paths, list) or not paths or not all(isinstance(path, str) for path in paths):
        raise bad("path is a path, or a list of paths")
    return paths


def _writable(call: Call, name: str, top: bool = False) -> Tuple[str, str]:
    """Where a path lies on disk, and the path.

    :param top: whether it may be a root.
    """
    path = call.text(name)
    view = _view(call)
    if not top and view.is_top(path):
        raise RpcError("PermissionDenied", f"{path}: a root stays what it is")
    return view.real(path, follow=top), path


@contextmanager
def _errors_of(path: str) -> Iterator[None]:
    """Tell errors of the file system in the words of the API."""
    try:
        yield
    except FileNotFoundError:
        raise RpcError("NotFound", f"{path}: no such file or folder") from None
    except PermissionError:
        raise RpcError("PermissionDenied", f"{path}: the system does not permit it") from None
    except OSError as error:
        raise RpcError("InvalidState", f"{path}: {error.strerror}") from None


def _listed(view: View, path: str) -> List[Entry]:
    top = view.sandbox is not None and not segments(path)
    with _errors_of(path):
        if not top and not os.path.isdir(view.existing(path)):
            return [_entry(view, path)]
        return [_entry(view, below) for below in view.names(path)]


def _entry(view: View, path: str) -> Entry:
    real = view.existing(path)
    state, folder = os.stat(real), os.path.isdir(real)
    shown = joined(path)
    return {
        "name": shown.rpartition("/")[2],
        "path": shown,
        "type": "directory" if folder else "file",
        "size": 0 if folder else state.st_size,
        "modifiedTime": state.st_mtime_ns // 1000,
    }


def _measured(view: View, path: str) -> int:
    if view.sandbox is not None and not segments(path):
        return sum(_measured(view, below) for below in view.roots())
    real = view.existing(path)
    if not os.path.isdir(real):
        return os.stat(real).st_size
    return sum(
        os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(real) for name in names
    )
