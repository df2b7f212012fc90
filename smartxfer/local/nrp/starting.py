"""The start call: files are announced, each with the way in which its bytes will come.

Source: NRP protocol, sections 5 (start) and 6 (transfer types).
"""

from typing import Any, Callable, Dict, List, Optional, Tuple
from urllib.parse import urlsplit

from smartxfer.local.database import Database
from smartxfer.local.nrp import entries, fetching, parts
from smartxfer.local.nrp.call import ApiError, Call, Owner, Response, framework
from smartxfer.local.nrp.checks import Errors, number, object_of, storable, text, truth, unknown
from smartxfer.local.nrp.entries import Entry
from smartxfer.local.nrp.finding import unlocked
from smartxfer.local.nrp.keys import TOO_LONG, longer_than_allowed
from smartxfer.local.nrp.showing import listing
from smartxfer.local.nrp.site import Site

#: Most parts of a multipart transfer, as S3 has it. Assumption: the server refuses more.
_MOST_PARTS = 10_000
_MEMBERS = ("key", "storage_class", "checksum", "size", "metadata", "access", "transfer")
_OF_TRANSFER: Dict[str, Tuple[str, ...]] = {"L": ("type",), "M": ("type", "parts", "part_size")}
_OF_TRANSFER.update(dict.fromkeys("FR", ("type", "url")))


def start(call: Call, owner: Owner) -> Response:
    """Announce files; all of them or none."""
    backend = call.backend
    announced = _announced(call)
    if any(values["transfer"]["type"] in "FR" for values in announced) and not call.superuser:
        raise ApiError(403, "Permission denied.")
    database, site = backend.database, backend.site
    fetched: List[Entry] = []
    with database.transaction():
        there = {entry.key for entry in entries.in_bucket(database, owner.bucket)}
        if site.max_files and len(there) + len(announced) > site.max_files:
            text = "Uploading selected files will result in exceeding the max amount per record."
            raise ApiError(400, text)
        for values in announced:
            if values["key"] in there:
                raise ApiError(400, "File with key {} already exists.".format(values["key"]))
            there.add(values["key"])
            entry = _entry(backend.stamp(), owner.bucket, values)
            if entry.type == "M":
                unlocked(call, owner)
                parts.begin(backend, entry)
            elif entry.type == "R":
                unlocked(call, owner)
                _remote(database, entry)
            elif entry.type == "F":
                fetched.append(entry)
            entries.add(database, entry)
        answer = call.json(listing(backend, owner), 201)
    for entry in fetched:
        fetching.begin(backend, entry)
    return answer


def _remote(database: Database, entry: Entry) -> None:
    """Complete a file that lies elsewhere; all entries of one URL share what the first one said of it."""
    if longer_than_allowed(entry.key):
        raise ApiError(400, TOO_LONG)
    size, checksum = entry.size or 0, entry.checksum
    entry.file_id, entry.size, entry.checksum = entries.remote(
        database, entry.url, (entry.file_id, size, checksum)
    )
    entry.status = "completed"


def _entry(stamp: str, bucket: str, values: Dict[str, Any]) -> Entry:
    transfer = values["transfer"]
    return Entry(
        bucket,
        values["key"],
        created=stamp,
        updated=stamp,
        hidden=values.get("access", {}).get("hidden", False),
        given=tuple(name for name in ("checksum", "size") if values.get(name) is not None),
        type=transfer["type"],
        metadata=values.get("metadata"),
        size=values.get("size"),
        checksum=values.get("checksum"),
        parts=transfer.get("parts", 0),
        part_size=transfer.get("part_size") or 0,
        url=transfer.get("url", ""),
    )


def _announced(call: Call) -> List[Dict[str, Any]]:
    """The files of the call, checked.

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
    errors.check()
    found = []
    for index, values in enumerate(body):
        if isinstance(values, dict) and "\0" in str(values.get("key", "")):
            raise framework(500)  # The database has no place for it.
        if isinstance(values, dict):
            found.append(_file(values, errors, f"{index}.", call.backend.site))
        else:
            errors.add(f"{index}._schema", "Invalid input type.")
    errors.check()
    if any(not storable(values.get("metadata")) for values in found):
        raise framework(500)
    return found


def _file(values: Dict[str, Any], errors: Errors, at: str, site: Site) -> Dict[str, Any]:
    checks: Dict[str, Callable[[Any], Optional[str]]] = {
        "key": text, "storage_class": text, "checksum": text, "size": number, "metadata": object_of,
    }  # fmt: skip
    if "key" not in values:
        errors.add(at + "key", "Missing data for required field.")
    for name, check in checks.items():
        # Only these two may be null.
        if name in values and not (values[name] is None and name in ("checksum", "size")):
            errors.add(at + name, check(values[name]))
    access = values.get("access", {})
    if not isinstance(access, dict):
        errors.add(at + "access._schema", "Invalid input type.")
    else:
        if "hidden" in access:
            errors.add(at + "access.hidden", truth(access["hidden"]))
        unknown(errors, at + "access.", access, ("hidden",))
    transfer = values.get("transfer", {})
    if not isinstance(transfer, dict):
        errors.add(at + "transfer._schema", "Invalid input type.")
    else:
        transfer = {"type": "L", **transfer}
        _transfer(transfer, errors, at + "transfer.", site)
    unknown(errors, at, values, _MEMBERS)
    return {**values, "transfer": transfer}


def _transfer(transfer: Dict[str, Any], errors: Errors, at: str, site: Site) -> None:
    kind = transfer["type"]
    if not isinstance(kind, str) or kind not in _OF_TRANSFER:
        errors.add(at + "type", f"Unsupported value: {kind}")
        return
    if kind == "M":
        if "parts" not in transfer:
            errors.add(at + "parts", "Missing data for required field.")
        for name, most in (("parts", _MOST_PARTS), ("part_size", None)):
            if name in transfer:
                errors.add(at + name, number(transfer[name], 1, most))
    elif kind in "FR":
        hosts = site.fetch_hosts if kind == "F" else site.remote_hosts
        errors.add(at + "url", _url(transfer, hosts))
    unknown(errors, at, transfer, _OF_TRANSFER[kind])


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
