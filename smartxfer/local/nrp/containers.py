"""Zip files as containers: their members listed and sent one by one.

Source: NRP protocol, sections 5 (look into an archive) and 9.
"""

import contextlib
import zipfile
from typing import Any, Dict, Iterator, List

from smartxfer.local.nrp import entries, stored
from smartxfer.local.nrp.call import ApiError, Backend, Call, Owner, Response, denied
from smartxfer.local.nrp.entries import Entry
from smartxfer.local.nrp.keys import encoded, extension
from smartxfer.local.objects import PIECE, media_type

_NOT_ZIP = "File is not a zip file"
#: Status for a file that is not an archive by its content, as the real server has it.
_NO_ARCHIVE = 999


def is_container(key: str) -> bool:
    """Tell whether a file is taken for an archive; its key alone decides."""
    return extension(key) == "zip"


@contextlib.contextmanager
def _opened(backend: Backend, entry: Entry) -> Iterator[zipfile.ZipFile]:
    """The archive in a stored file.

    :raises zipfile.BadZipFile: it is not one.
    """
    number, _ = stored.assemble(backend.database, backend.objects, entry)
    try:
        with zipfile.ZipFile(backend.objects.path(number)) as found:
            yield found
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise zipfile.BadZipFile(str(error)) from None


def noted(backend: Backend, entry: Entry) -> Dict[str, Any]:
    """Return the metadata that the server itself writes for a file that was just completed."""
    if not is_container(entry.key) or entry.spans is None:
        return {}
    try:
        with _opened(backend, entry) as found:
            return {"zip_toc_position": found.start_dir}
    except zipfile.BadZipFile:
        return {"error": _NOT_ZIP}


def answer(call: Call, owner: Owner, key: str, member: str) -> Response:
    """Answer a call for an archive's list, or for one member.

    :param key: key of the archive.
    :param member: path of the member; empty for the list.
    :raises ApiError: 404, no such file, not completed, or no such member; 400, not an archive by its name;
        999, not one by its content.
    """
    backend = call.backend
    entry = entries.find(backend.database, owner.bucket, key)
    if entry is None or entry.status != "completed":
        raise _missing(owner, key)
    if not owner.readable:
        raise denied()
    if not is_container(key) or entry.spans is None:
        raise ApiError(400, f"No extractor found for the file '{key}'.")
    try:
        with _opened(backend, entry) as found:
            return _member(found, owner, member) if member else call.json(_listed(found, owner, key))
    except zipfile.BadZipFile:
        raise ApiError(_NO_ARCHIVE, f"Invalid file content for file '{key}': {_NOT_ZIP}.") from None


def _missing(owner: Owner, key: str) -> ApiError:
    return ApiError(404, f"Record '{owner.id}' has no file '{key}'.")


def _listed(found: zipfile.ZipFile, owner: Owner, key: str) -> Dict[str, Any]:
    # The links lead to the published record, also in a draft.
    place = owner.base.replace("/draft/files", "/files") + f"/{encoded(key)}/container/"
    files: List[Dict[str, Any]] = []
    directories: List[Dict[str, Any]] = []
    for one in found.infolist():
        name = one.filename.rstrip("/")
        links = {"content": place + encoded(name)}
        if one.is_dir():
            directories.append({"key": name, "links": links, "entries": None})
            continue
        files.append(
            {
                "key": name,
                "size": one.file_size,
                "compressed_size": one.compress_size,
                "mimetype": media_type(name),
                "crc": one.CRC,
                "links": links,
            }
        )
    return {"entries": files, "truncated": False, "total": len(files), "directories": directories}


def _member(found: zipfile.ZipFile, owner: Owner, member: str) -> Response:
    try:
        one = found.getinfo(member)
    except KeyError:
        raise _missing(owner, member) from None
    if one.is_dir():
        raise _missing(owner, member)
    kind = media_type(member)
    kind += "; charset=utf-8" if kind.startswith("text/") else ""
    name = member.rsplit("/", 1)[-1]
    headers = [("Content-Disposition", f'attachment; filename="{name}"'), ("Content-Type", kind)]
    with found.open(one) as stream:
        pieces = tuple(iter(lambda: stream.read(PIECE), b""))
    return Response(200, headers, pieces or (b"",))
