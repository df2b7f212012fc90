"""Downloads of files.

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

#: Offsets of the time zones that are farthest behind and ahead of UTC.
_MAX_HOURS_BEHIND_UTC, _MAX_HOURS_AHEAD_OF_UTC = 12, 14

#: Size of the ranges of a large file, in bytes.
RANGE_SIZE = 32 * 1024 * 1024


def get_modification_window(info: Info) -> Optional[Tuple[float, float]]:
    """Return the earliest and the latest possible modification time, because the API omits the time zone."""
    if info.modified is None:
        return None
    as_utc = info.modified.replace(tzinfo=dt.timezone.utc).timestamp()
    return as_utc - _MAX_HOURS_AHEAD_OF_UTC * 3600, as_utc + _MAX_HOURS_BEHIND_UTC * 3600


def make_spec(
    api: SmartFileApi, info: Info, sink: Sink, digest: Optional[Tuple[str, str]] = None
) -> DownloadSpec:
    """Return the specification of a download for the engine.

    Modification times have a resolution of a second, in which a file can be replaced by another of the same
    size.  Therefore the server's checksum is requested when a download is resumed.

    :param digest: (algorithm, hex) computed by the server.
    """

    def fetch_digest() -> Tuple[str, str]:
        try:
            return "md5", api.get_checksums([info.path], "MD5")[info.path]
        except (ClientError, DecodeError, TaskFailed, WaitTimeout):
            return "md5", "unknown"  # matches no file, so that the download starts over

    request = api.download_request(info.path)
    version_check = ObjectVersionCheck(info.path, digest_known=digest is not None)

    def check_version(response: requests.Response) -> None:
        version_check.check_version((response.headers.get("ETag"), response.headers.get("Last-Modified")))

    def source(start: int, stop: Optional[int]) -> ContextManager[RangeResponse]:
        return open_range(api.http, request, start, stop, info.size, check_version)

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
        fetch_digest=fetch_digest,
        build_mismatch_error=version_check.build_mismatch_error,
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
    """Download files and return their results, failed ones included.

    :param files: the path of each file, relative to the directory, and its Info.
    :param identity: identifies this set of files within the service.
    :param directories: directories to create, also if no file is in them.
    """
    api_with_retries = api.with_runner(runner)
    digests: Dict[str, str] = {}
    if checksum is not None and files:
        paths = [info.path for _, info in files]
        digests = runner.run_one(lambda: api_with_retries.get_checksums(paths, checksum))

    def make_remote_file(name: str, info: Info) -> RemoteFile:
        digest = (checksum, digests[info.path]) if checksum is not None else None
        return RemoteFile(
            key=f"{info.path} {info.size} {info.time}",
            name=name,
            size=info.size,
            make_spec=lambda sink: make_spec(api_with_retries, info, sink, digest),
            mtime_range=get_modification_window(info),
            origin=(get_origin(api), normalize(info.path)),
        )

    key = {"service": "smartfile", "api": api.api_url, "path": identity}
    remote_files = [make_remote_file(name, info) for name, info in files]
    results = download_to_directory(
        directory,
        remote_files,
        key,
        runner,
        max_workers,
        max_workers,
        exists=exists,
        subdirectories=directories,
    )
    return attach_infos(results, [info for _, info in files] + [None] * len(directories))


def plan_download(directory: Path, files: Sequence[Tuple[str, Info]]) -> List[FileResult]:
    """Return the results that a download of files would have, without downloading."""
    names = unique_paths_or_errors([name for name, _ in files], directory=directory)
    return [
        FileResult(info.path, error=path)
        if isinstance(path, UnsafeName)
        else FileResult(info.path, directory / path, info.size or 0, item=info)
        for path, (_, info) in zip(names, files)
    ]


def get_server_digest(api: SmartFileApi, path: str, algorithm: Optional[str]) -> Optional[Tuple[str, str]]:
    """Return (algorithm, hex), computed by the server; None without an algorithm."""
    return None if algorithm is None else (algorithm, api.get_checksums([path], algorithm)[path])


def get_origin(api: SmartFileApi) -> str:
    """Return the identifier of the service in records about the origin of downloaded files."""
    return f"smartfile {api.api_url}"


def attach_infos(results: Sequence[FileResult], infos: Sequence[Optional[Info]]) -> List[FileResult]:
    """Return the results with the Info of each file."""
    return [attrs.evolve(result, item=info) for result, info in zip(results, infos)]
