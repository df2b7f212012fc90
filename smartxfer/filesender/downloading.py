"""The download workflow: list, name, fetch.

Source: FileSender protocol, section 8.
"""

import functools
import hashlib
import uuid
from pathlib import Path
from typing import Any, Collection, ContextManager, List, Optional, Sequence, Tuple, Union

import requests

from smartxfer.errors import DecodeError, EncryptedTransfer, NotFound
from smartxfer.filesender.calls import Calls
from smartxfer.filesender.models import DownloadFile
from smartxfer.transfer.download import Download, DownloadLane
from smartxfer.transfer.into import Wanted, fetch_into
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.protocols import Sink
from smartxfer.transfer.ranges import Incoming, open_range
from smartxfer.transfer.result import FileResult

__all__ = ["Fetching", "choose", "safe_range"]

#: Pieces are as long as fit into this many bytes: every piece is a download in the site's audit log.
PIECE = 32 * 1024 * 1024


def safe_range(start: int, stop: int, size: int, chunk: int) -> Tuple[int, int]:
    """The bytes to ask for in order to get [start, stop): the server drops the last byte of some ranges.

    It does so when last minus first is a multiple of its chunk size; then one byte more is asked for.

    >>> safe_range(10, 11, 20, 5)
    (9, 11)

    Source: FileSender protocol, section 8.3.
    """
    if (stop - start - 1) % chunk:
        return start, stop
    return (start - 1, stop) if start else (start, min(stop + 1, size))


def choose(
    files: Sequence[DownloadFile], wanted: Optional[Collection[Union[int, str]]]
) -> List[DownloadFile]:
    """The files whose id or name is wanted; all of them for None.

    :raises NotFound: the transfer has no such file.
    :raises EncryptedTransfer: a wanted file is end-to-end encrypted.
    """
    if wanted is None:
        chosen = list(files)
    else:
        known = {key: file for file in files for key in (file.id, str(file.id), file.name)}
        one = isinstance(wanted, (str, int, DownloadFile))
        keys: Collection[Any] = [wanted] if one else wanted
        wanted = [getattr(key, "id", key) for key in keys]
        missing = [key for key in wanted if key not in known]
        if missing:
            names = ", ".join(repr(file.name) for file in files[:20])
            raise NotFound(f"the transfer has no file {missing[0]!r}; it has {names}")
        chosen = list({known[key].id: known[key] for key in wanted}.values())
    for file in chosen:
        if file.encrypted:
            raise EncryptedTransfer(
                f"{file.name!r} is end-to-end encrypted and cannot be decrypted here",
                hint="open the link in a browser and give the password there",
            )
    return chosen


class Fetching:
    """One run of the download workflow.

    :param token: of the download link.
    :param width: pieces of one file at a time.
    """

    def __init__(self, calls: Calls, operation: Operation, token: str, width: int) -> None:
        self._calls = calls
        self._operation = operation
        self._token = token
        self._width = width

    def into_directory(
        self, files: Sequence[DownloadFile], directory: Path, at_once: int
    ) -> List[FileResult]:
        """Fetch the files to safe names below ``directory``; the results, failed ones included.

        What an earlier, broken run has completed is not fetched again.
        """
        identity = {"service": "filesender", "download": self._hashed, "base": self._calls.base}
        wanted = [
            Wanted(str(file.id), file.name, file.size, functools.partial(self._download, file))
            for file in files
        ]
        return fetch_into(directory, wanted, identity, self._operation, at_once, self._width)

    def into(self, file: DownloadFile, sink: Sink) -> FileResult:
        """Fetch one file into a sink."""
        self._operation.reporter.queue(file.name, file.size)
        lane = DownloadLane(self._download(file, sink), self._operation, self._width)
        self._operation.run([lane], 1)
        return lane.result

    def _download(self, file: DownloadFile, sink: Sink) -> Download:
        chunk = file.chunk_size or 0
        call = self._calls.content(self._token, file.id, str(uuid.uuid4()))

        def source(start: int, stop: Optional[int]) -> ContextManager[Incoming]:
            first, last = start, stop
            if stop is not None and (start, stop) != (0, file.size):
                first, last = safe_range(start, stop, file.size, chunk)
            return open_range(self._calls.wire, call, first, last, file.size, _accept)

        return Download(
            name=file.name,
            sink=sink,
            identity={
                "service": "filesender",
                "base": self._calls.base,
                "token": self._hashed,
                "file": file.id,
                "name": file.name,
            },
            open_range=source,
            size=file.size,
            step=chunk * max(1, PIECE // chunk) if chunk > 2 else None,
        )

    @property
    def _hashed(self) -> str:
        """The token, in a form that gives nobody access."""
        return hashlib.sha256(self._token.encode("utf-8")).hexdigest()[:16]


def _accept(response: requests.Response) -> None:
    """Refuse a page where a file was asked for: errors come as pages with status 200."""
    page = response.headers.get("Content-Type", "").startswith("text/html")
    if page and response.status_code == 200 and "Content-Disposition" not in response.headers:
        raise DecodeError(
            "the server sent a page in place of the file",
            hint="the link may have expired, or the site wants a login for downloads",
        )
