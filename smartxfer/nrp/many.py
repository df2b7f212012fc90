"""Several files at once: which are meant, and where they go.

Source: NRP / Invenio protocol, section 5.
"""

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from smartxfer.errors import Conflict, SmartxferError, UsageError
from smartxfer.nrp import downloading
from smartxfer.nrp.calls import Calls
from smartxfer.nrp.defaults import AUTO
from smartxfer.nrp.errors import RepositoryForbiddenError
from smartxfer.nrp.file_calls import FileCalls
from smartxfer.nrp.file_metadata import given_metadata
from smartxfer.nrp.hints import NEW_VERSION
from smartxfer.nrp.keys import checked
from smartxfer.nrp.models import File, FileStatus
from smartxfer.nrp.places import place_of
from smartxfer.nrp.record_models import Record
from smartxfer.nrp.starting import Plan
from smartxfer.nrp.streams import unwrapped
from smartxfer.nrp.syncing import origin_of
from smartxfer.nrp.transfers import AUTO_FROM, How
from smartxfer.transfer.download import Download
from smartxfer.transfer.existing import Exists
from smartxfer.transfer.into import Wanted, fetch_into
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.protocols import Sink
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.source import target_path_of
from smartxfer.transfer.tree import Item, collect, listed

__all__ = ["fetch", "not_locked", "pairs_of", "undecided", "with_result"]


Metadata = Optional[Mapping[str, Any]]


def pairs_of(
    files: Any, metadata: Metadata, follow_symlinks: bool = False
) -> List[Tuple[Item, Metadata]]:
    """What is to be sent, with its metadata; every key is one that can be addressed."""
    things: List[Any] = []
    own: Dict[str, Metadata] = {}
    for file in listed(files):
        if isinstance(file, tuple) and len(file) == 3 and isinstance(file[0], str):
            own[file[0]] = given_metadata(file[2])
            file = file[:2]
        if isinstance(file, tuple) and len(file) == 2:
            things.append((checked(file[0]), unwrapped(file[1])))
        else:
            things.append(unwrapped(file))
    items = collect(things, follow_symlinks, none=True)
    for item in items:
        checked(item.name)
    return [(item, own.get(item.name, metadata)) for item in items]


def not_locked(record: Any, files: FileCalls, plans: Sequence[Tuple[Item, Plan]]) -> None:
    """Refuse new files for an edit of a published record, before they are started.

    Where only the id or the address of the record was given, the repository refuses their content.

    :raises Forbidden: its files are locked, and there are keys that it does not have.

    Source: NRP / Invenio protocol, sections 4 and 9.
    """
    if not (isinstance(record, Record) and record.is_draft and record.is_published):
        return
    there = {file.key for file in files.list() if file.status == FileStatus.COMPLETED}
    missing = [plan.key for _, plan in plans if plan.key not in there]
    if missing:
        raise RepositoryForbiddenError(
            f"{missing[0]!r} was not started: {record.id} is published, and its files are locked",
            hint=NEW_VERSION,
            status=403,
        )


def undecided(mode: How, size: int) -> bool:
    """Whether the repository's transfer types have a say in how a file is sent."""
    return mode.letter == AUTO and bool(mode.parts or mode.part_size or size >= AUTO_FROM)


def with_result(file: File, result: FileResult) -> File:
    """The file, with what became of its upload."""
    return file.but(result=result)


def fetch(
    calls: Calls,
    operation: Operation,
    files: Sequence[File],
    directory: Any,
    workers: int,
    exists: Exists,
) -> List[FileResult]:
    """Fetch files into a directory; the results, failed ones included."""
    local = target_path_of(directory)
    if local is None:
        raise UsageError(f"{directory!r} is not a path")
    for file in files:
        if not isinstance(file, File):
            raise UsageError(f"{file!r:.80} is not a File", hint="files.list() gives them")
    refused = {at: error for at, error in enumerate(map(_incomplete, files)) if error is not None}
    whole = [file for at, file in enumerate(files) if at not in refused]
    fetched = iter(_fetch(calls, operation, whole, local, workers, exists) if whole else [])
    return [
        FileResult(name=file.key, error=refused[at]) if at in refused else next(fetched)
        for at, file in enumerate(files)
    ]


def _incomplete(file: File) -> Optional[SmartxferError]:
    """Return why a file cannot be fetched, if it is not complete in the repository or cannot be named."""
    try:
        downloading.check_complete(file)
    except (Conflict, UsageError) as error:
        return error
    return None


def _fetch(
    calls: Calls, operation: Operation, files: Sequence[File], local: Path, workers: int, exists: Exists
) -> List[FileResult]:
    base = place_of(calls, files[0]).files()[0]

    def wanted(file: File) -> Wanted:
        place = place_of(calls, file)
        step = downloading.step_of(file.size)

        def describe(sink: Sink) -> Download:
            return downloading.describe(FileCalls(calls, place.files()[0]), file, sink, operation, step)

        key = f"{place.file()[0]} {file.size} {file.checksum} {file.version_id}"
        changed = downloading.changed(file)
        return Wanted(
            key=key,
            name=file.key,
            size=file.known_size,
            describe=describe,
            changed=changed,
            origin=(origin_of(calls), file.key),
        )

    identity = {"service": "nrp", "files": base}
    each = [wanted(file) for file in files]
    return fetch_into(local, each, identity, operation, workers, workers, exists=exists)
