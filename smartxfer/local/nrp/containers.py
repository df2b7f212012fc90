"""Listing of zip files, and downloads of their members.

Source: NRP protocol, sections 5 (look into an archive) and 9.
"""

import contextlib
import zipfile
from typing import Any, Dict, Iterator, List

from smartxfer.local.nrp import file_entries, file_storage
from smartxfer.local.nrp.call import ApiError, Backend, Call, Owner, Response, permission_denied
from smartxfer.local.nrp.file_entries import FileEntry
from smartxfer.local.nrp.file_keys import encode_key, extension
from smartxfer.local.object_store import PIECE, media_type

_NOT_ZIP = "File is not a zip file"
#: Status for a file whose content is not an archive, as on the real server.
_NO_ARCHIVE = 999


def is_container(key: str) -> bool:
    """Return True if a file is an archive by its key."""
    return extension(key) == "zip"


@contextlib.contextmanager
def _open_zip(backend: Backend, entry: FileEntry) -> Iterator[zipfile.ZipFile]:
    """Open a stored file as an archive.

    :raises zipfile.BadZipFile: it is not a zip file.
    """
    number, _ = file_storage.assemble(backend.database, backend.objects, entry)
    try:
        with zipfile.ZipFile(backend.objects.path(number)) as archive:
            yield archive
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise zipfile.BadZipFile(str(error)) from None


def save_listing(backend: Backend, entry: FileEntry) -> Dict[str, Any]:
    """Return the metadata that the server adds to a completed file."""
    if not is_container(entry.key) or entry.spans is None:
        return {}
    try:
        with _open_zip(backend, entry) as archive:
            return {"zip_toc_position": archive.start_dir}
    except zipfile.BadZipFile:
        return {"error": _NOT_ZIP}


def handle(call: Call, owner: Owner, key: str, member: str) -> Response:
    """Handle a call for an archive's list, or for one member.

    :param key: key of the archive.
    :param member: path of the member; empty for the list.
    :raises ApiError: 404, the file or member does not exist or is not completed; 400, not an archive by name;
        999, not an archive by content.
    """
    backend = call.backend
    entry = file_entries.find(backend.database, owner.bucket, key)
    if entry is None or entry.status != "completed":
        raise _missing(owner, key)
    if not owner.readable:
        raise permission_denied()
    if not is_container(key) or entry.spans is None:
        raise ApiError(400, f"No extractor found for the file '{key}'.")
    try:
        with _open_zip(backend, entry) as archive:
            return (
                _member(archive, owner, member) if member else call.json(_list_members(archive, owner, key))
            )
    except zipfile.BadZipFile:
        raise ApiError(_NO_ARCHIVE, f"Invalid file content for file '{key}': {_NOT_ZIP}.") from None


def _missing(owner: Owner, key: str) -> ApiError:
    return ApiError(404, f"Record '{owner.id}' has no file '{key}'.")


def _list_members(archive: zipfile.ZipFile, owner: Owner, key: str) -> Dict[str, Any]:
    # The links refer to the published record, even in a draft.
    url = owner.base.replace("/draft/files", "/files") + f"/{encode_key(key)}/container/"
    files: List[Dict[str, Any]] = []
    directories: List[Dict[str, Any]] = []
    for info in archive.infolist():
        name = info.filename.rstrip("/")
        links = {"content": url + encode_key(name)}
        if info.is_dir():
            directories.append({"key": name, "links": links, "entries": None})
            continue
        files.append(
            {
                "key": name, "size": info.file_size, "compressed_size": info.compress_size,
                "mimetype": media_type(name), "crc": info.CRC, "links": links,
            }
        )
    return {"entries": files, "truncated": False, "total": len(files), "directories": directories}


def _member(archive: zipfile.ZipFile, owner: Owner, member: str) -> Response:
    try:
        info = archive.getinfo(member)
    except KeyError:
        raise _missing(owner, member) from None
    if info.is_dir():
        raise _missing(owner, member)
    kind = media_type(member)
    kind += "; charset=utf-8" if kind.startswith("text/") else ""
    name = member.rsplit("/", 1)[-1]
    headers = [("Content-Disposition", f'attachment; filename="{name}"'), ("Content-Type", kind)]
    with archive.open(info) as stream:
        pieces = tuple(iter(lambda: stream.read(PIECE), b""))
    return Response(200, headers, pieces or (b"",))
