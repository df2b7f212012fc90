"""Files on their way down.

Source: SmartFile protocol, section 5.
"""

import datetime as dt
from pathlib import Path
from typing import Any, ContextManager, Dict, List, Optional, Sequence, Tuple

import attrs
import requests

from smartxfer.errors import ClientError, DecodeError, TaskFailed, UnsafeName, WaitTimeout
from smartxfer.smartfile.calls import Calls
from smartxfer.smartfile.models import Info
from smartxfer.smartfile.paths import normal
from smartxfer.transfer.download import Download
from smartxfer.transfer.existing import Exists
from smartxfer.transfer.into import Wanted, fetch_into
from smartxfer.transfer.names import paths_or_errors
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.protocols import Sink
from smartxfer.transfer.ranges import Incoming, open_range
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.same import SameState

__all__ = [
    "changed",
    "describe",
    "digest_of",
    "fetch_files",
    "origin_of",
    "plan_of",
    "with_items",
]

#: Hours by which the zones of the world are behind and ahead of UTC.
_BEHIND, _AHEAD = 12, 14

#: Bytes per piece of a file that is fetched by ranges.
PIECE = 32 * 1024 * 1024


def changed(info: Info) -> Optional[Tuple[float, float]]:
    """The earliest and the latest moment that a file can have changed, for its time comes without a zone."""
    if info.modified is None:
        return None
    moment = info.modified.replace(tzinfo=dt.timezone.utc).timestamp()
    return moment - _AHEAD * 3600, moment + _BEHIND * 3600


def describe(calls: Calls, info: Info, sink: Sink, digest: Optional[Tuple[str, str]] = None) -> Download:
    """The download of a file, as the engine wants it.

    Times come in whole seconds: a file that an earlier run began to fetch may have been replaced within one,
    by another of its size.  So the server is asked for its checksum where a run goes on.

    :param digest: (algorithm, hex) that the server reckoned.
    """

    def doubt() -> Tuple[str, str]:
        try:
            return "md5", calls.checksums([info.path], "MD5")[info.path]
        except (ClientError, DecodeError, TaskFailed, WaitTimeout):
            return "md5", "unknown"  # which no file has: it is fetched whole

    call = calls.content(info.path)
    same = SameState(info.path, digest_known=digest is not None)

    def seen(response: requests.Response) -> None:
        same.see((response.headers.get("ETag"), response.headers.get("Last-Modified")))

    def source(start: int, stop: Optional[int]) -> ContextManager[Incoming]:
        return open_range(calls.wire, call, start, stop, info.size, seen)

    return Download(
        name=info.path,
        sink=sink,
        identity={
            "service": "smartfile",
            "api": calls.api,
            "path": info.path,
            "size": info.size,
            "time": info.time,
        },
        open_range=source,
        size=info.size,
        step=PIECE,
        digest=digest,
        doubt=doubt,
        mismatch=same.mismatch,
    )


def fetch_files(
    calls: Calls,
    operation: Operation,
    files: Sequence[Tuple[str, Info]],
    directory: Path,
    at_once: int,
    checksum: Optional[str],
    exists: Exists,
    identity: Any,
    folders: Sequence[str] = (),
) -> List[FileResult]:
    """Fetch files from the server; the results, failed ones included.

    :param files: the name of each below the directory, and what the server knows of it.
    :param identity: what tells this set of files from any other of the service.
    :param folders: directories that are made, whether there are files in them or not.
    """
    watched = calls.watched(operation)
    digests: Dict[str, str] = {}
    if checksum is not None and files:
        paths = [info.path for _, info in files]
        digests = operation.call(lambda: watched.checksums(paths, checksum))

    def wanted(name: str, info: Info) -> Wanted:
        digest = (checksum, digests[info.path]) if checksum is not None else None
        return Wanted(
            key=f"{info.path} {info.size} {info.time}",
            name=name,
            size=info.size,
            describe=lambda sink: describe(watched, info, sink, digest),
            changed=changed(info),
            origin=(origin_of(calls), normal(info.path)),
        )

    key = {"service": "smartfile", "api": calls.api, "path": identity}
    each = [wanted(name, info) for name, info in files]
    results = fetch_into(
        directory, each, key, operation, at_once, at_once, exists=exists, folders=folders
    )
    return with_items(results, [info for _, info in files] + [None] * len(folders))


def plan_of(directory: Path, files: Sequence[Tuple[str, Info]]) -> List[FileResult]:
    """Return what a download of files would do, and fetch nothing."""
    names = paths_or_errors([name for name, _ in files], directory=directory)
    return [
        FileResult(info.path, error=path)
        if isinstance(path, UnsafeName)
        else FileResult(info.path, directory / path, info.size or 0, item=info)
        for path, (_, info) in zip(names, files)
    ]


def digest_of(calls: Calls, path: str, algorithm: Optional[str]) -> Optional[Tuple[str, str]]:
    """(algorithm, hex) as the server reckons it; None without an algorithm."""
    return None if algorithm is None else (algorithm, calls.checksums([path], algorithm)[path])


def origin_of(calls: Calls) -> str:
    """The service, as downloads note where a file came from."""
    return f"smartfile {calls.api}"


def with_items(results: Sequence[FileResult], infos: Sequence[Optional[Info]]) -> List[FileResult]:
    """The results, with what the server knows of each file."""
    return [attrs.evolve(result, item=info) for result, info in zip(results, infos)]
