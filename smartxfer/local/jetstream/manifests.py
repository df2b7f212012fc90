"""Manifests: sets of files, read in the background.

Source: JetStream protocol, sections 4, 5.2, 6 and 9.6.
"""

import json
import os
from typing import Any, Dict, Iterator, List, Tuple

from smartxfer.local.jetstream.call import Backend, Call, Row, RpcError, invalid_params, select_columns
from smartxfer.local.jetstream.paths import Sandbox, join_segments


def create(call: Call) -> Dict[str, Any]:
    """``send.createManifest``: create a set of files, which are looked up in the background."""
    mappings = call.mapping("mappings")
    if not mappings or not all(isinstance(source, str) and source for source in mappings.values()):
        raise invalid_params("mappings are paths here by paths at the destination, at least one")
    backend, user = call.backend, call.user
    with backend.lock:
        reported = json.dumps(mappings)
        row = call.insert("manifest", mappings=reported, viewer=user.name, bound=user.folder)
    backend.job(lambda: _build(backend, row["id"]))
    return serialize(call, row)


def resume(backend: Backend) -> None:
    """Continue with the manifests that were unfinished when the server ended."""
    for row in backend.database.select("manifests", "id", status="pending", deleted=0):
        backend.job(lambda id=row["id"]: _build(backend, id))  # type: ignore[misc]


def wait(call: Call) -> Dict[str, Any]:
    """``send.waitForManifest``: the manifest once it is processed, or its state after the timeout."""
    id = call.find("manifest")["id"]

    def finished() -> bool:
        row = call.lookup("manifest", id)
        return row is None or row["status"] != "pending"

    call.backend.wait(finished, call.seconds("timeoutSeconds"))
    return serialize(call, call.find("manifest"))


def files(call: Call) -> Dict[str, str]:
    """``send.getManifestFiles``: local path by path at the destination."""
    row = call.find("manifest")
    rows = call.backend.database.select("manifest_files", "number", manifest=row["id"])
    return {file["destination"]: file["source"] for file in rows}


def delete(call: Call) -> None:
    """``send.deleteManifest``: transfers that use it continue."""
    backend = call.backend
    with backend.lock:
        row = call.owned("manifest")
        backend.database.update("manifests", row["id"], deleted=1)
        clean(backend)
        backend.changed.notify_all()


def clean(backend: Backend) -> int:
    """Remove deleted manifests that no unfinished transfer needs.

    :return: number of removed manifests.
    """
    unused = """deleted AND id NOT IN (SELECT manifest FROM transfers
        WHERE NOT deleted AND status IN ('pending', 'sending', 'suspended'))"""
    with backend.database.transaction():
        backend.database.execute(
            f"DELETE FROM manifest_files WHERE manifest IN (SELECT id FROM manifests WHERE {unused})"  # noqa: S608
        )
        return backend.database.execute_count(f"DELETE FROM manifests WHERE {unused}")  # noqa: S608


def serialize(call: Call, row: Row) -> Dict[str, Any]:
    """Return a manifest as the caller sees it."""
    return {
        "manifestId": str(row["id"]),
        "status": row["status"],
        "processing": row["status"] == "pending",
        **select_columns(row, errorMessage="error", totalFiles="total_files", totalSize="total_size"),
        **call.serialize_owner(row),
    }


def _build(backend: Backend, id: int) -> None:
    """Look up the files of a manifest."""
    if backend.stopping.wait(backend.site.manifest_delay):
        return
    row = backend.database.find("manifests", id=id, deleted=0)
    if row is None:
        return
    error, total = None, 0
    rows: List[Tuple[Any, ...]] = []
    try:
        view = Sandbox(backend, row["viewer"], row["bound"])
        for number, file in enumerate(_walk(view, json.loads(row["mappings"]))):
            if backend.stopping.is_set():
                return
            rows.append((id, number, *file))
            total += file[3]
    except RpcError as refused:
        error = refused.message
    except OSError as failed:
        error = f"{failed.filename}: {failed.strerror}"
    except ValueError as strange:
        error = f"a name cannot be one of a file: {strange}"
    with backend.lock, backend.database.transaction():
        if backend.stopping.is_set():
            return
        if error is None:
            for values in rows:
                backend.database.execute("INSERT INTO manifest_files VALUES (?,?,?,?,?,?,?)", *values)
        columns: Dict[str, Any] = {"status": "complete", "total_files": len(rows), "total_size": total}
        if error is not None:
            columns = {"status": "error", "error": error}
        backend.database.update("manifests", id, **columns)
        backend.log("manifestUpdated", {"manifestId": str(id), "errorMessage": error}, row["owner"])
        backend.changed.notify_all()


def _walk(view: Sandbox, mappings: Dict[str, str]) -> Iterator[Tuple[str, str, str, int, int]]:
    """Yield each file: destination, source as named, path on disk, size, mtime in nanoseconds."""
    for destination, source in mappings.items():
        real = view.existing_path(source)
        yield from _walk_below(view, "/" + destination.lstrip("/"), join_segments(source), real)


def _walk_below(
    view: Sandbox, destination: str, source: str, real: str
) -> Iterator[Tuple[str, str, str, int, int]]:
    try:
        (destination + source).encode("utf-8")
    except UnicodeEncodeError:
        raise RpcError("InvalidState", f"{source!r}: the name is not UTF-8") from None
    if not os.path.isdir(real):
        state = os.stat(real)
        yield destination, source, real, state.st_size, state.st_mtime_ns
        return
    for name in sorted(os.listdir(real)):
        below = join_segments(source, name)
        path = os.path.join(real, name)
        if os.path.islink(path):
            if os.path.isdir(path):
                # A link to a folder elsewhere below the root, or to a parent of this folder.
                raise RpcError("PermissionDenied", f"{below}: links to folders are not followed")
            path = view.existing_path(below)
        yield from _walk_below(view, destination.rstrip("/") + "/" + name, below, path)
