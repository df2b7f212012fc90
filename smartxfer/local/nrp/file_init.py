"""Initialization of files, each with a transfer type.

Source: NRP protocol, sections 5 (start) and 6 (transfer types).
"""

from typing import Any, Callable, Dict, List, Optional, Tuple
from urllib.parse import urlsplit

from smartxfer.local.database import Database
from smartxfer.local.nrp import file_entries, file_parts, remote_fetch
from smartxfer.local.nrp.call import ApiError, Call, Owner, Response, framework_error
from smartxfer.local.nrp.file_entries import FileEntry
from smartxfer.local.nrp.file_keys import TOO_LONG, is_too_long
from smartxfer.local.nrp.file_lookup import require_unlocked
from smartxfer.local.nrp.file_serializers import serialize_list
from smartxfer.local.nrp.site import Site
from smartxfer.local.nrp.validators import (
    Errors,
    add_unknown,
    check_bool,
    check_number,
    check_object,
    check_text,
    is_storable,
)

#: Largest number of parts, that of S3. Assumption: the server rejects more.
_MOST_PARTS = 10_000
_MEMBERS = ("key", "storage_class", "checksum", "size", "metadata", "access", "transfer")
_OF_TRANSFER: Dict[str, Tuple[str, ...]] = {"L": ("type",), "M": ("type", "parts", "part_size")}
_OF_TRANSFER.update(dict.fromkeys("FR", ("type", "url")))


def init_files(call: Call, owner: Owner) -> Response:
    """Initialize files; all of them or none."""
    backend = call.backend
    announced = _parse_files(call)
    if any(values["transfer"]["type"] in "FR" for values in announced) and not call.superuser:
        raise ApiError(403, "Permission denied.")
    database, site = backend.database, backend.site
    fetched: List[FileEntry] = []
    with database.transaction():
        there = {entry.key for entry in file_entries.in_bucket(database, owner.bucket)}
        if site.max_files and len(there) + len(announced) > site.max_files:
            text = "Uploading selected files will result in exceeding the max amount per record."
            raise ApiError(400, text)
        for values in announced:
            if values["key"] in there:
                raise ApiError(400, "File with key {} already exists.".format(values["key"]))
            there.add(values["key"])
            entry = _entry(backend.stamp(), owner.bucket, values)
            if entry.type == "M":
                require_unlocked(call, owner)
                file_parts.begin(backend, entry)
            elif entry.type == "R":
                require_unlocked(call, owner)
                _remote(database, entry)
            elif entry.type == "F":
                fetched.append(entry)
            file_entries.add(database, entry)
        response = call.json(serialize_list(backend, owner), 201)
    for entry in fetched:
        remote_fetch.begin(backend, entry)
    return response


def _remote(database: Database, entry: FileEntry) -> None:
    """Complete a remote file; all entries of one URL share size and checksum of the first."""
    if is_too_long(entry.key):
        raise ApiError(400, TOO_LONG)
    size, checksum = entry.size or 0, entry.checksum
    entry.file_id, entry.size, entry.checksum = file_entries.remote(
        database, entry.url, (entry.file_id, size, checksum)
    )
    entry.status = "completed"


def _entry(stamp: str, bucket: str, values: Dict[str, Any]) -> FileEntry:
    transfer = values["transfer"]
    return FileEntry(
        bucket, values["key"], created=stamp, updated=stamp,
        hidden=values.get("access", {}).get("hidden", False),
        given=tuple(name for name in ("checksum", "size") if values.get(name) is not None),
        type=transfer["type"], metadata=values.get("metadata"), size=values.get("size"),
        checksum=values.get("checksum"), parts=transfer.get("parts", 0),
        part_size=transfer.get("part_size") or 0, url=transfer.get("url", ""),
    )


def _parse_files(call: Call) -> List[Dict[str, Any]]:
    """Return the validated files of the call.

    :raises ApiError: 400, with an error for each field.
    """
    body = call.json_body()
    errors = Errors()
    if isinstance(body, dict):
        errors.add("0._schema", "Invalid input type.")
    elif not isinstance(body, list):
        errors.add("_schema", "Invalid input type.")
    elif not body:
        errors.add("_schema", "No files to upload.")
    errors.raise_if_any()
    parsed = []
    for index, values in enumerate(body):
        if isinstance(values, dict) and "\0" in str(values.get("key", "")):
            raise framework_error(500)  # The database cannot store it.
        if isinstance(values, dict):
            parsed.append(_file(values, errors, f"{index}.", call.backend.site))
        else:
            errors.add(f"{index}._schema", "Invalid input type.")
    errors.raise_if_any()
    if any(not is_storable(values.get("metadata")) for values in parsed):
        raise framework_error(500)
    return parsed


def _file(values: Dict[str, Any], errors: Errors, position: str, site: Site) -> Dict[str, Any]:
    checks: Dict[str, Callable[[Any], Optional[str]]] = {
        "key": check_text, "storage_class": check_text, "checksum": check_text, "size": check_number,
        "metadata": check_object,
    }  # fmt: skip
    if "key" not in values:
        errors.add(position + "key", "Missing data for required field.")
    for name, check in checks.items():
        # Only these two may be null.
        if name in values and not (values[name] is None and name in ("checksum", "size")):
            errors.add(position + name, check(values[name]))
    access = values.get("access", {})
    if not isinstance(access, dict):
        errors.add(position + "access._schema", "Invalid input type.")
    else:
        if "hidden" in access:
            errors.add(position + "access.hidden", check_bool(access["hidden"]))
        add_unknown(errors, position + "access.", access, ("hidden",))
    transfer = values.get("transfer", {})
    if not isinstance(transfer, dict):
        errors.add(position + "transfer._schema", "Invalid input type.")
    else:
        transfer = {"type": "L", **transfer}
        _transfer(transfer, errors, position + "transfer.", site)
    add_unknown(errors, position, values, _MEMBERS)
    return {**values, "transfer": transfer}


def _transfer(transfer: Dict[str, Any], errors: Errors, position: str, site: Site) -> None:
    kind = transfer["type"]
    if not isinstance(kind, str) or kind not in _OF_TRANSFER:
        errors.add(position + "type", f"Unsupported value: {kind}")
        return
    if kind == "M":
        if "parts" not in transfer:
            errors.add(position + "parts", "Missing data for required field.")
        for name, maximum in (("parts", _MOST_PARTS), ("part_size", None)):
            if name in transfer:
                errors.add(position + name, check_number(transfer[name], 1, maximum))
    elif kind in "FR":
        hosts = site.fetch_hosts if kind == "F" else site.remote_hosts
        errors.add(position + "url", _url(transfer, hosts))
    add_unknown(errors, position, transfer, _OF_TRANSFER[kind])


def _url(transfer: Dict[str, Any], hosts: Tuple[str, ...]) -> Optional[str]:
    if "url" not in transfer:
        return "Missing data for required field."
    try:
        parts_of = urlsplit(transfer["url"])
        host = parts_of.hostname
    except (ValueError, TypeError, AttributeError):
        return "Not a valid URL."
    if parts_of.scheme not in ("http", "https") or not host or any(c <= " " for c in transfer["url"]):
        return "Not a valid URL."
    return None if parts_of.netloc in hosts else "Domain not allowed"
