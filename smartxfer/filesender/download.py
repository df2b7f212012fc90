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
from smartxfer.filesender.decryption import Decryptor, FetchRange
from smartxfer.filesender.errors import (
    FileSenderDecodeError,
    FileSenderIntegrityError,
    FileSenderNotFound,
    FileSenderPasswordRequired,
)
from smartxfer.filesender.models import DownloadFile
from smartxfer.filesender.rest_api import FileSenderApi
from smartxfer.filesender.upload_encryption import Password, resolve_password
from smartxfer.transfer.digest import CRC32
from smartxfer.transfer.directory_download import (
    RemoteFile,
    apply_existing_file_policy,
    download_to_directory,
)
from smartxfer.transfer.download import DownloadJob, DownloadSpec
from smartxfer.transfer.existing_files import Exists
from smartxfer.transfer.protocols import Sink
from smartxfer.transfer.ranges import RangeResponse, open_range
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transfer.sink import FileSink
from smartxfer.transfer.source import as_target_path
from smartxfer.transport import HTTPTransport, RequestSpec
from smartxfer.transport.archive_check import create_archive_check

__all__ = ["DownloadWorkflow", "adjust_range", "create_decryptor", "require_directory_path", "select_files"]

#: Pieces are as long as fit into this many bytes: every piece is a download in the site's audit log.
RANGE_SIZE = 32 * 1024 * 1024


def adjust_range(start: int, stop: int, size: int, chunk_size: int) -> Tuple[int, int]:
    """The bytes to ask for in order to get [start, stop): the server drops the last byte of some ranges.

    It does so when last minus first is a multiple of its chunk size; then one byte more is asked for.

    >>> adjust_range(10, 11, 20, 5)
    (9, 11)

    Source: FileSender protocol, section 8.3.
    """
    if (stop - start - 1) % chunk_size:
        return start, stop
    return (start - 1, stop) if start else (start, min(stop + 1, size))


def select_files(
    files: Sequence[DownloadFile], selection: Optional[Collection[Union[int, str]]]
) -> List[DownloadFile]:
    """The files whose id or name is wanted; all of them for None.

    :raises NotFound: the transfer has no such file.
    """
    if selection is None:
        chosen = list(files)
    else:
        known = {key: file for file in files for key in (file.id, str(file.id), file.name)}
        one = isinstance(selection, (str, int, DownloadFile))
        keys: Collection[Any] = [selection] if one else selection
        selection = [getattr(key, "id", key) for key in keys]
        missing = [key for key in selection if key not in known]
        if missing:
            names = ", ".join(repr(file.name) for file in files[:20])
            raise FileSenderNotFound(
                f"the transfer has no file {missing[0]!r}; it has {names}",
                hint="pass ids or names that list_files(token) returns",
            )
        chosen = list({known[key].id: known[key] for key in selection}.values())
    return chosen


def require_directory_path(out_dir: Any) -> Path:
    """The path of a directory.

    :raises UsageError: it is not a path.
    """
    path = as_target_path(out_dir)
    if path is None:
        raise UsageError(
            f"out_dir must be a directory, not a {type(out_dir).__name__}",
            hint="pass the path of a directory; download_file() also writes to an open file",
        )
    return path


def create_decryptor(
    files: Sequence[DownloadFile], password: Password, key_version: Optional[int] = None
) -> Optional[Decryptor]:
    """What opens the encrypted ones among the files; None where none is.

    :param password: a text: every file has to be encrypted, whatever the server says; a function is asked
        only where one is.
    :param key_version: that every file has to be encrypted by, whatever the server says.
    :raises PasswordRequired: one is encrypted and there is no password.
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
            f"{other[0].name!r} is said to be of key version {told}, not {key_version}",
            hint="ask the sender for the key version, or leave out key_version= to trust the site",
        )
    sealed = [file for file in files if file.encrypted]
    if not sealed:
        return None
    given = resolve_password(password)
    if given is None:
        raise FileSenderPasswordRequired(
            f"{sealed[0].name!r} is end-to-end encrypted", hint="pass password=, which the sender chose"
        )
    opening = Decryptor(given)
    for file in sealed:
        opening.create_chunk_cipher(file)
    return opening


class DownloadWorkflow:
    """One run of the download workflow.

    :param token: of the download link.
    :param max_ranges: pieces of one file at a time.
    :param max_files: files at a time.
    :param decryptor: what opens the encrypted files.
    """

    def __init__(
        self,
        api: FileSenderApi,
        runner: TransferRunner,
        token: str,
        max_ranges: int,
        max_files: int = 1,
        decryptor: Optional[Decryptor] = None,
    ) -> None:
        self._decryptor = decryptor
        self._api = api
        self._runner = runner
        self._token = token
        self._max_ranges = max_ranges
        self._max_files = max_files

    def download_to_directory(
        self,
        files: Sequence[DownloadFile],
        directory: Any,
        *,
        exists: Exists,
        hidden: bool,
        explicit_names: bool = False,
    ) -> List[FileResult]:
        """Fetch the files to safe names below ``directory``; the results, failed ones included.

        What an earlier, broken run has completed is not fetched again.  The bytes of a file of a transfer
        never change.

        :param explicit_names: whether the caller chose the names.
        """
        self._verify_password(files)
        identity = {"service": "filesender", "download": self._token_hash, "base": self._api.base_url}
        wanted = [
            RemoteFile(
                str(file.id), file.name, file.size, functools.partial(self._make_spec, file), immutable=True
            )
            for file in files
        ]
        return download_to_directory(
            require_directory_path(directory),
            wanted,
            identity,
            self._runner,
            self._max_files,
            self._max_ranges,
            exists=exists,
            hidden=hidden,
            explicit=explicit_names,
        )

    def download_to_sink(self, file: DownloadFile, sink: Sink, exists: Exists = None) -> FileResult:
        """Fetch one file into a sink."""
        self._verify_password([file])
        self._runner.reporter.queue(file.name, file.size)
        download = apply_existing_file_policy(self._make_spec(file, sink), exists, immutable=True)
        job = DownloadJob(download, self._runner, self._max_ranges)
        self._runner.run_jobs([job], 1)
        return job.result

    def download_archive(
        self, files: Sequence[DownloadFile], sink: Sink, archive_format: str, exists: Exists
    ) -> FileResult:
        """Fetch several files as one archive, which the server packs; a broken one begins again.

        The archive counts only if it has its own end and holds the files.

        :param archive_format: ``"zip"`` or ``"tar"``.
        """
        name = str(getattr(sink, "path", None) or f"archive.{archive_format}")
        call = self._api.build_download_request(self._token, [file.id for file in files], archive_format)
        empty = next((file.name for file in files if not file.size), None)
        download = DownloadSpec(
            name=name,
            sink=sink,
            identity={"service": "filesender", "base": self._api.base_url, "archive": archive_format},
            open_range=lambda start, stop: _open_archive(self._api.http, call, empty),
            new_archive_check=lambda: create_archive_check(
                archive_format, name, [file.size for file in files]
            ),
        )
        self._runner.reporter.queue(name, None)
        job = DownloadJob(apply_existing_file_policy(download, exists), self._runner, 1)
        self._runner.run_jobs([job], 1)
        return job.result

    def _make_spec(self, file: DownloadFile, sink: Sink) -> DownloadSpec:
        chunk = file.chunk_size or 0
        call = self._api.build_download_request(self._token, [file.id])

        def sealed(start: int, stop: Optional[int]) -> ContextManager[Any]:
            assert self._decryptor is not None
            return self._decryptor.fetch_chunk(file, start, self._create_range_fetcher(file))

        def source(start: int, stop: Optional[int]) -> ContextManager[RangeResponse]:
            first, last = start, stop
            if stop is not None and (start, stop) != (0, file.size):
                first, last = adjust_range(start, stop, file.size, chunk)
            return open_range(self._api.http, call, first, last, file.size, _reject_html_page)

        if isinstance(sink, FileSink):
            opens = self._decryptor if file.encrypted else None
            sink.checksum = CRC32 if opens is None else opens.create_part_file_mac(file)
        return DownloadSpec(
            name=file.name,
            sink=sink,
            identity={
                "service": "filesender",
                "base": self._api.base_url,
                "token": self._token_hash,
                "file": file.id,
                "name": file.name,
                **({"encryption": [file.key_version, file.fileiv, file.fileaead]} if file.encrypted else {}),
            },
            open_range=sealed if file.encrypted else source,
            size=file.size,
            range_size=chunk
            if file.encrypted
            else chunk * max(1, RANGE_SIZE // chunk)
            if chunk > 2
            else None,
        )

    def _verify_password(self, files: Sequence[DownloadFile]) -> None:
        """See that the password opens the files, before anything is written."""
        sealed = [file for file in files if file.encrypted and file.size]
        if self._decryptor is not None and sealed:
            least = min(sealed, key=lambda file: file.size)
            opening, fetch = self._decryptor, self._create_range_fetcher(least)

            def prove() -> None:
                self._runner.run_uninterruptible(lambda: opening.get_key(least))
                what = f"{least.name}, its first chunk"
                self._runner.retry(what, lambda: opening.verify_password(least, fetch))

            self._runner.run_one(prove)

    def _create_range_fetcher(self, file: DownloadFile) -> FetchRange:
        """Return a function that fetches a range of an encrypted file.

        The total in ``Content-Range`` is the size of the file before encryption.

        Source: FileSender protocol, sections 9 and 15.
        """
        call, size = self._api.build_download_request(self._token, [file.id]), file.encrypted_size
        return lambda start, stop: open_range(
            self._api.http,
            call,
            start,
            stop,
            size,
            _reject_html_page,
            total=file.size,
            always_send_range=True,
        )

    @property
    def _token_hash(self) -> str:
        """The token, in a form that gives nobody access."""
        return hashlib.sha256(self._token.encode("utf-8")).hexdigest()[:16]


@contextlib.contextmanager
def _open_archive(
    http: HTTPTransport, request: RequestSpec, empty_file: Optional[str]
) -> Iterator[RangeResponse]:
    """One try at an archive.

    Sites fail on archives with an empty file: status 500 for a zip, a body that is cut short for a tar.

    :param empty_file: name of an empty file among those that are packed.
    :raises IntegrityError: the site failed, and there is an empty file.

    Source: FileSender protocol, section 15.
    """
    try:
        with open_range(http, request, 0, None, None, _reject_html_page) as incoming:
            yield incoming
    except (ServerError, Truncated) as error:
        if empty_file is None:
            raise
        raise FileSenderIntegrityError(
            f"{error.summary}; sites cannot pack an empty file, and {empty_file!r} is empty",
            hint="fetch the files one by one: download_files(token, directory)",
        ) from error


def _reject_html_page(response: requests.Response) -> None:
    """Refuse a page where a file was asked for: errors come as pages with status 200."""
    page = response.headers.get("Content-Type", "").startswith("text/html")
    if page and response.status_code == 200 and "Content-Disposition" not in response.headers:
        raise FileSenderDecodeError(
            "the server sent a page in place of the file",
            hint="the link may have expired, or the site wants a login for downloads",
        )
