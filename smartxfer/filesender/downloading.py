"""The download workflow: list, name, fetch.

Source: FileSender protocol, section 8.
"""

import contextlib
import functools
import hashlib
from pathlib import Path
from typing import Any, Collection, ContextManager, Iterator, List, Optional, Sequence, Tuple, Union

import requests

from smartxfer.errors import ServerError, Truncated, UsageError
from smartxfer.filesender.calls import Calls
from smartxfer.filesender.errors import (
    FileSenderDecodeError,
    FileSenderEncryptedTransfer,
    FileSenderIntegrityError,
    FileSenderNotFound,
)
from smartxfer.filesender.models import DownloadFile
from smartxfer.filesender.opening import Fetch, Opening
from smartxfer.filesender.sealing import Password, given_password
from smartxfer.transfer.digest import CRC32
from smartxfer.transfer.download import Download, DownloadJob
from smartxfer.transfer.existing import Exists
from smartxfer.transfer.into import Wanted, fetch_into, guard
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.protocols import Sink
from smartxfer.transfer.ranges import Incoming, open_range
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.sink import FileSink
from smartxfer.transfer.source import target_path_of
from smartxfer.transport import Call, Wire
from smartxfer.transport.archive import new_check

__all__ = ["Fetching", "choose", "directory_of", "opening_of", "safe_range"]

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
            raise FileSenderNotFound(f"the transfer has no file {missing[0]!r}; it has {names}")
        chosen = list({known[key].id: known[key] for key in wanted}.values())
    return chosen


def directory_of(out_dir: Any) -> Path:
    """The path of a directory.

    :raises UsageError: it is not a path.
    """
    path = target_path_of(out_dir)
    if path is None:
        raise UsageError(f"out_dir must be a directory, not a {type(out_dir).__name__}")
    return path


def opening_of(
    files: Sequence[DownloadFile], password: Password, key_version: Optional[int] = None
) -> Optional[Opening]:
    """What opens the encrypted ones among the files; None where none is.

    :param password: a text: every file has to be encrypted, whatever the server says; a function is asked
        only where one is.
    :param key_version: that every file has to be encrypted by, whatever the server says.
    :raises EncryptedTransfer: one is encrypted and there is no password.
    :raises IntegrityError: one is not encrypted, and a password was given.
    """
    bare = [file for file in files if not file.encrypted]
    if bare and (isinstance(password, str) or key_version is not None):
        raise FileSenderIntegrityError(
            f"{bare[0].name!r} is not encrypted, and a password was given",
            hint="leave password= out to fetch it as it is, if that is what its sender meant",
        )
    other = [file for file in files if key_version not in (None, file.key_version)]
    if other:
        told = other[0].key_version
        raise FileSenderIntegrityError(
            f"{other[0].name!r} is said to be of key version {told}, not {key_version}"
        )
    sealed = [file for file in files if file.encrypted]
    if not sealed:
        return None
    given = given_password(password)
    if given is None:
        raise FileSenderEncryptedTransfer(
            f"{sealed[0].name!r} is end-to-end encrypted", hint="give password=, which the sender chose"
        )
    opening = Opening(given)
    for file in sealed:
        opening.chunks(file)
    return opening


class Fetching:
    """One run of the download workflow.

    :param token: of the download link.
    :param width: pieces of one file at a time.
    :param at_once: files at a time.
    :param opening: what opens the encrypted files.
    """

    def __init__(
        self,
        calls: Calls,
        operation: Operation,
        token: str,
        width: int,
        at_once: int = 1,
        opening: Optional[Opening] = None,
    ) -> None:
        self._opening = opening
        self._calls = calls
        self._operation = operation
        self._token = token
        self._width = width
        self._at_once = at_once

    def into_directory(
        self,
        files: Sequence[DownloadFile],
        directory: Any,
        *,
        exists: Exists,
        hidden: bool,
        explicit: bool = False,
    ) -> List[FileResult]:
        """Fetch the files to safe names below ``directory``; the results, failed ones included.

        What an earlier, broken run has completed is not fetched again.  The bytes of a file of a transfer
        never change.

        :param explicit: whether the caller chose the names.
        """
        self._prove(files)
        identity = {"service": "filesender", "download": self._hashed, "base": self._calls.base}
        wanted = [
            Wanted(
                str(file.id), file.name, file.size, functools.partial(self._download, file), immutable=True
            )
            for file in files
        ]
        return fetch_into(
            directory_of(directory),
            wanted,
            identity,
            self._operation,
            self._at_once,
            self._width,
            exists=exists,
            hidden=hidden,
            explicit=explicit,
        )

    def into(self, file: DownloadFile, sink: Sink, exists: Exists = None) -> FileResult:
        """Fetch one file into a sink."""
        self._prove([file])
        self._operation.reporter.queue(file.name, file.size)
        download = guard(self._download(file, sink), exists, immutable=True)
        job = DownloadJob(download, self._operation, self._width)
        self._operation.run([job], 1)
        return job.result

    def archive(self, files: Sequence[DownloadFile], sink: Sink, form: str, exists: Exists) -> FileResult:
        """Fetch several files as one archive, which the server packs; a broken one begins again.

        The archive counts only if it has its own end and holds the files.

        :param form: ``"zip"`` or ``"tar"``.
        """
        name = str(getattr(sink, "path", None) or f"archive.{form}")
        call = self._calls.content(self._token, [file.id for file in files], form)
        empty = next((file.name for file in files if not file.size), None)
        download = Download(
            name=name,
            sink=sink,
            identity={"service": "filesender", "base": self._calls.base, "archive": form},
            open_range=lambda start, stop: _packed(self._calls.wire, call, empty),
            archive=lambda: new_check(form, name, [file.size for file in files]),
        )
        self._operation.reporter.queue(name, None)
        job = DownloadJob(guard(download, exists), self._operation, 1)
        self._operation.run([job], 1)
        return job.result

    def _download(self, file: DownloadFile, sink: Sink) -> Download:
        chunk = file.chunk_size or 0
        call = self._calls.content(self._token, [file.id])

        def sealed(start: int, stop: Optional[int]) -> ContextManager[Any]:
            assert self._opening is not None
            return self._opening.chunk(file, start, self._sealed_bytes(file))

        def source(start: int, stop: Optional[int]) -> ContextManager[Incoming]:
            first, last = start, stop
            if stop is not None and (start, stop) != (0, file.size):
                first, last = safe_range(start, stop, file.size, chunk)
            return open_range(self._calls.wire, call, first, last, file.size, _accept)

        if isinstance(sink, FileSink):
            opens = self._opening if file.encrypted else None
            sink.check = CRC32 if opens is None else opens.vouching(file)
        return Download(
            name=file.name,
            sink=sink,
            identity={
                "service": "filesender",
                "base": self._calls.base,
                "token": self._hashed,
                "file": file.id,
                "name": file.name,
                **({"encryption": [file.key_version, file.fileiv, file.fileaead]} if file.encrypted else {}),
            },
            open_range=sealed if file.encrypted else source,
            size=file.size,
            step=chunk if file.encrypted else chunk * max(1, PIECE // chunk) if chunk > 2 else None,
        )

    def _prove(self, files: Sequence[DownloadFile]) -> None:
        """See that the password opens the files, before anything is written."""
        sealed = [file for file in files if file.encrypted and file.size]
        if self._opening is not None and sealed:
            least = min(sealed, key=lambda file: file.size)
            opening, fetch = self._opening, self._sealed_bytes(least)

            def prove() -> None:
                self._operation.aside(lambda: opening.key(least))
                what = f"{least.name}, its first chunk"
                self._operation.retry(what, lambda: opening.prove(least, fetch))

            self._operation.call(prove)

    def _sealed_bytes(self, file: DownloadFile) -> Fetch:
        """Return a function that fetches a range of an encrypted file.

        The total in ``Content-Range`` is the size of the file before encryption.

        Source: FileSender protocol, sections 9 and 15.
        """
        call, size = self._calls.content(self._token, [file.id]), file.encrypted_size
        return lambda start, stop: open_range(
            self._calls.wire, call, start, stop, size, _accept, total=file.size, always=True
        )

    @property
    def _hashed(self) -> str:
        """The token, in a form that gives nobody access."""
        return hashlib.sha256(self._token.encode("utf-8")).hexdigest()[:16]


@contextlib.contextmanager
def _packed(wire: Wire, call: Call, empty: Optional[str]) -> Iterator[Incoming]:
    """One try at an archive.

    Sites fail on archives with an empty file: status 500 for a zip, a body that is cut short for a tar.

    :param empty: name of an empty file among those that are packed.
    :raises IntegrityError: the site failed, and there is an empty file.

    Source: FileSender protocol, section 15.
    """
    try:
        with open_range(wire, call, 0, None, None, _accept) as incoming:
            yield incoming
    except (ServerError, Truncated) as error:
        if empty is None:
            raise
        raise FileSenderIntegrityError(
            f"{error.summary}; sites cannot pack an empty file, and {empty!r} is empty",
            hint="fetch the files one by one: download_files(token, directory)",
        ) from error


def _accept(response: requests.Response) -> None:
    """Refuse a page where a file was asked for: errors come as pages with status 200."""
    page = response.headers.get("Content-Type", "").startswith("text/html")
    if page and response.status_code == 200 and "Content-Disposition" not in response.headers:
        raise FileSenderDecodeError(
            "the server sent a page in place of the file",
            hint="the link may have expired, or the site wants a login for downloads",
        )
