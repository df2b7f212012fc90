"""Several files at once: which are meant, and where they go.

Source: NRP / Invenio protocol, section 5.
"""

from typing import Any, Dict, List, Mapping, Sequence, Tuple

from smartxfer.errors import UsageError
from smartxfer.nrp import downloading
from smartxfer.nrp.calls import Calls
from smartxfer.nrp.file_calls import FileCalls
from smartxfer.nrp.keys import checked
from smartxfer.nrp.models import File, mutable
from smartxfer.nrp.places import place_of
from smartxfer.nrp.streams import unwrapped
from smartxfer.nrp.transfers import AUTO, AUTO_FROM, How
from smartxfer.transfer.download import Download
from smartxfer.transfer.into import Wanted, fetch_into
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.protocols import Sink
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.source import path_of
from smartxfer.transfer.tree import Item, collect

__all__ = ["fetch", "pairs_of", "undecided", "with_result"]


def pairs_of(files: Sequence[Any], metadata: Mapping[str, Any]) -> List[Tuple[Item, Mapping[str, Any]]]:
    """What is to be sent, with its metadata; every key is one that can be addressed."""
    things: List[Any] = []
    own: Dict[str, Mapping[str, Any]] = {}
    for file in [files] if isinstance(files, (str, bytes)) or hasattr(files, "read") else files:
        if isinstance(file, tuple) and len(file) == 3 and isinstance(file[0], str):
            own[file[0]] = mutable(file[2])
            file = file[:2]
        if isinstance(file, tuple) and len(file) == 2:
            things.append((checked(file[0]), unwrapped(file[1])))
        else:
            things.append(unwrapped(file))
    items = collect(things)
    for item in items:
        checked(item.name)
    return [(item, own.get(item.name, metadata)) for item in items]


def undecided(mode: How, size: int) -> bool:
    """Whether the repository's transfer types have a say in how a file is sent."""
    return mode.letter == AUTO and bool(mode.parts or mode.part_size or size >= AUTO_FROM)


def with_result(file: File, result: FileResult) -> File:
    """The file, with what became of its upload."""
    return file.but(result=result)


def fetch(
    calls: Calls, operation: Operation, files: Sequence[File], directory: Any, workers: int
) -> List[FileResult]:
    """Fetch files into a directory; the results, failed ones included."""
    local = path_of(directory)
    if local is None:
        raise UsageError(f"{directory!r} is not a path")
    for file in files:
        if not isinstance(file, File):
            raise UsageError(f"{file!r:.80} is not a File", hint="files.list() gives them")
        downloading.check_complete(file)
    if not files:
        return []
    base = place_of(calls, files[0]).files()[0]

    def wanted(file: File) -> Wanted:
        place = place_of(calls, file)
        step = downloading.step_of(file.size)

        def describe(sink: Sink) -> Download:
            return downloading.describe(FileCalls(calls, place.files()[0]), file, sink, operation, step)

        key = f"{place.file()[0]} {file.size} {file.checksum} {file.version_id}"
        return Wanted(key=key, name=file.key, size=file.size, describe=describe)

    identity = {"service": "nrp", "files": base}
    return fetch_into(local, [wanted(file) for file in files], identity, operation, workers, workers)
