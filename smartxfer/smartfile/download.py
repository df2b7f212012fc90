"""Files on their way down.

Source: SmartFile protocol, section 5.
"""

import datetime as dt
from pathlib import Path
from typing import Any, ContextManager, Dict, List, Optional, Sequence, Tuple

import attrs
import requests

from smartxfer.errors import ClientError, DecodeError, TaskFailed, UnsafeName, WaitTimeout
from smartxfer.smartfile.api import SmartFileApi
from smartxfer.smartfile.models import Info
from smartxfer.smartfile.paths import normalize
from smartxfer.transfer.directory_download import RemoteFile, download_to_directory
from smartxfer.transfer.download import DownloadSpec
from smartxfer.transfer.existing_files import Exists
from smartxfer.transfer.object_version import ObjectVersionCheck
from smartxfer.transfer.protocols import Sink
from smartxfer.transfer.ranges import RangeResponse, open_range
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transfer.safe_paths import unique_paths_or_errors

__all__ = [
    "attach_infos",
    "download_files",
    "get_modification_window",
    "get_origin",
    "get_server_digest",
    "make_spec",
    "plan_download",
]

#: Hours by which the zones of the world are behind and ahead of UTC.
_MAX_HOURS_BEHIND_UTC, _MAX_HOURS_AHEAD_OF_UTC = 12, 14

#: Bytes per piece of a file that is fetched by ranges.
RANGE_SIZE = 32 * 1024 * 1024


def get_modification_window(info: Info) -> Optional[Tuple[float, float]]:
    """The earliest and the latest moment that a file can have changed, for its time comes without a zone."""
    if info.modified is None:
        return None
    moment = info.modified.replace(tzinfo=dt.timezone.utc).timestamp()
    return moment - _MAX_HOURS_AHEAD_OF_UTC * 3600, moment + _MAX_HOURS_BEHIND_UTC * 3600


def make_spec(
    api: SmartFileApi, info: Info, sink: Sink, digest: Optional[Tuple[str, str]] = None
) -> DownloadSpec:
    """The download of a file, as the engine wants it.

    Times come in whole seconds: a file that an earlier run began to fetch may have been replaced within one,
    by another of its size.  So the server is asked for its checksum where a run goes on.

    :param digest: (algorithm, hex) that the server reckoned.
    """

    def doubt() -> Tuple[str, str]:
        try:
            return "md5", api.get_checksums([info.path], "MD5")[info.path]
        except (ClientError, DecodeError, TaskFailed, WaitTimeout):
            return "md5", "unknown"  # which no file has: it is fetched whole

    call = api.download_request(info.path)
    same = ObjectVersionCheck(info.path, digest_known=digest is not None)

    def seen(response: requests.Response) -> None:
        same.check_version((response.headers.get("ETag"), response.headers.get("Last-Modified")))

    def source(start: int, stop: Optional[int]) -> ContextManager[RangeResponse]:
        return open_range(api.http, call, start, stop, info.size, seen)

    return DownloadSpec(
        name=info.path,
        sink=sink,
        identity={
            "service": "smartfile",
            "api": api.api_url,
            "path": info.path,
            "size": info.size,
            "time": info.time,
        },
        open_range=source,
        size=info.size,
        range_size=RANGE_SIZE,
        digest=digest,
        fetch_digest=doubt,
        build_mismatch_error=same.build_mismatch_error,
    )


def download_files(
    api: SmartFileApi,
    runner: TransferRunner,
    files: Sequence[Tuple[str, Info]],
    directory: Path,
    max_workers: int,
    checksum: Optional[str],
    exists: Exists,
    identity: Any,
    directories: Sequence[str] = (),
) -> List[FileResult]:
    """Fetch files from the server; the results, failed ones included.

    :param files: the name of each below the directory, and what the server knows of it.
    :param identity: what tells this set of files from any other of the service.
    :param directories: directories that are made, whether there are files in them or not.
    """
    watched = api.with_runner(runner)
    digests: Dict[str, str] = {}
    if checksum is not None and files:
        paths = [info.path for _, info in files]
        digests = runner.run_one(lambda: watched.get_checksums(paths, checksum))

    def wanted(name: str, info: Info) -> RemoteFile:
        digest = (checksum, digests[info.path]) if checksum is not None else None
        return RemoteFile(
            key=f"{info.path} {info.size} {info.time}",
            name=name,
            size=info.size,
            make_spec=lambda sink: make_spec(watched, info, sink, digest),
            mtime_range=get_modification_window(info),
            origin=(get_origin(api), normalize(info.path)),
        )

    key = {"service": "smartfile", "api": api.api_url, "path": identity}
    each = [wanted(name, info) for name, info in files]
    results = download_to_directory(
        directory, each, key, runner, max_workers, max_workers, exists=exists, subdirectories=directories
    )
    return attach_infos(results, [info for _, info in files] + [None] * len(directories))


def plan_download(directory: Path, files: Sequence[Tuple[str, Info]]) -> List[FileResult]:
    """Return what a download of files would do, and fetch nothing."""
    names = unique_paths_or_errors([name for name, _ in files], directory=directory)
    return [
        FileResult(info.path, error=path)
        if isinstance(path, UnsafeName)
        else FileResult(info.path, directory / path, info.size or 0, item=info)
        for path, (_, info) in zip(names, files)
    ]


def get_server_digest(api: SmartFileApi, path: str, algorithm: Optional[str]) -> Optional[Tuple[str, str]]:
    """(algorithm, hex) as the server reckons it; None without an algorithm."""
    return None if algorithm is None else (algorithm, api.get_checksums([path], algorithm)[path])


def get_origin(api: SmartFileApi) -> str:
    """The service, as downloads note where a file came from."""
    return f"smartfile {api.api_url}"


def attach_infos(results: Sequence[FileResult], infos: Sequence[Optional[Info]]) -> List[FileResult]:
    """The results, with what the server knows of each file."""
    return [attrs.evolve(result, item=info) for result, info in zip(results, infos)]
