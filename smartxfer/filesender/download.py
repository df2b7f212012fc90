"""Download workflow: select the files, verify the password, download the files or an archive.

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

#: Bytes of a range, at most.  Ranges are large because the site logs each one as a download.
RANGE_SIZE = 32 * 1024 * 1024


def adjust_range(start: int, stop: int, size: int, chunk_size: int) -> Tuple[int, int]:
    """Return the range to request in order to receive the bytes [start, stop).

    The server drops the last byte of a range if last minus first is a multiple of its chunk size.  For such
    a range one more byte is requested.

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
    """Return the files with the given ids or names, or all files for None.

    :raises NotFound: the transfer has no such file.
    """
    if selection is None:
        return list(files)
    files_by_key = {key: file for file in files for key in (file.id, str(file.id), file.name)}
    is_single = isinstance(selection, (str, int, DownloadFile))
    items: Collection[Any] = [selection] if is_single else selection
    keys = [getattr(item, "id", item) for item in items]
    missing = [key for key in keys if key not in files_by_key]
    if missing:
        names = ", ".join(repr(file.name) for file in files[:20])
        raise FileSenderNotFound(
            f"the transfer has no file {missing[0]!r}", hint=f"select one of its files: {names}"
        )
    return list({files_by_key[key].id: files_by_key[key] for key in keys}.values())


def require_directory_path(out_dir: Any) -> Path:
    """Return ``out_dir`` as a path.

    :raises UsageError: it is not a path.
    """
    path = as_target_path(out_dir)
    if path is None:
        raise UsageError(
            f"the target must be the path of a directory, not a {type(out_dir).__name__}",
            hint="download_file() and download() also write to open files",
        )
    return path


def create_decryptor(
    files: Sequence[DownloadFile], password: Password, key_version: Optional[int] = None
) -> Optional[Decryptor]:
    """Return the decryptor of the encrypted files; None if no file is encrypted.

    :param password: if it is text, every file must be encrypted; a function is called only if a file is.
    :param key_version: the version that every file must be encrypted with.
    :raises PasswordRequired: a file is encrypted, and no password was given.
    :raises IntegrityError: a file is not encrypted, and a password or a key version was given.
    """
    plain = [file for file in files if not file.encrypted]
    if plain and (isinstance(password, str) or key_version is not None):
        raise FileSenderIntegrityError(
            f"{plain[0].name!r} is not encrypted, although a password or key version was given",
            hint="leave out password= and key_version= if the sender did not encrypt the file",
        )
    other = [file for file in files if key_version not in (None, file.key_version)]
    if other:
        raise FileSenderIntegrityError(
            f"{other[0].name!r} has key version {other[0].key_version}, expected {key_version}",
            hint="leave out key_version= to accept the version that the server reports",
        )
    encrypted = [file for file in files if file.encrypted]
    if not encrypted:
        return None
    password_text = resolve_password(password)
    if password_text is None:
        raise FileSenderPasswordRequired(
            f"{encrypted[0].name!r} is end-to-end encrypted", hint="pass the sender's password with password="
        )
    decryptor = Decryptor(password_text)
    for file in encrypted:
        decryptor.create_chunk_cipher(file)  # check the parameters of all files before the first download
    return decryptor


class DownloadWorkflow:
    """One run of the download workflow.

    :param token: of the download link.
    :param max_ranges: concurrent ranges per file.
    :param max_files: concurrent files.
    :param decryptor: decrypts the encrypted files.
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
        """Download the files to safe names below ``directory`` and return all results, including failures.

        Files that an earlier, interrupted run has completed are not downloaded again, because a file of a
        transfer never changes.

        :param explicit_names: True if the caller chose the names.
        """
        self._verify_password(files)
        identity = {"service": "filesender", "download": self._token_hash, "base": self._api.base_url}
        remote_files = [
            RemoteFile(
                str(file.id), file.name, file.size, functools.partial(self._make_spec, file), immutable=True
            )
            for file in files
        ]
        return download_to_directory(
            require_directory_path(directory),
            remote_files,
            identity,
            self._runner,
            self._max_files,
            self._max_ranges,
            exists=exists,
            hidden=hidden,
            explicit=explicit_names,
        )

    def download_to_sink(self, file: DownloadFile, sink: Sink, exists: Exists = None) -> FileResult:
        """Download one file into a sink."""
        self._verify_password([file])
        self._runner.reporter.queue(file.name, file.size)
        download = apply_existing_file_policy(self._make_spec(file, sink), exists, immutable=True)
        job = DownloadJob(download, self._runner, self._max_ranges)
        self._runner.run_jobs([job], 1)
        return job.result

    def download_archive(
        self, files: Sequence[DownloadFile], sink: Sink, archive_format: str, exists: Exists
    ) -> FileResult:
        """Download several files as one archive, which the server creates.

        An interrupted download starts from the beginning.  The archive is accepted only if its end record is
        complete and it contains the files.

        :param archive_format: ``"zip"`` or ``"tar"``.
        """
        name = str(getattr(sink, "path", None) or f"archive.{archive_format}")
        request = self._api.build_download_request(self._token, [file.id for file in files], archive_format)
        empty_file = next((file.name for file in files if not file.size), None)
        download = DownloadSpec(
            name=name,
            sink=sink,
            identity={"service": "filesender", "base": self._api.base_url, "archive": archive_format},
            open_range=lambda start, stop: _open_archive(self._api.http, request, empty_file),
            new_archive_check=lambda: create_archive_check(
                archive_format, name, [file.size for file in files]
            ),
        )
        self._runner.reporter.queue(name, None)
        job = DownloadJob(apply_existing_file_policy(download, exists), self._runner, 1)
        self._runner.run_jobs([job], 1)
        return job.result

    def _make_spec(self, file: DownloadFile, sink: Sink) -> DownloadSpec:
        chunk_size = file.chunk_size or 0
        request = self._api.build_download_request(self._token, [file.id])

        def open_encrypted(start: int, stop: Optional[int]) -> ContextManager[Any]:
            assert self._decryptor is not None
            return self._decryptor.fetch_chunk(file, start, self._create_range_fetcher(file))

        def open_plain(start: int, stop: Optional[int]) -> ContextManager[RangeResponse]:
            first, last = start, stop
            if stop is not None and (start, stop) != (0, file.size):
                first, last = adjust_range(start, stop, file.size, chunk_size)
            return open_range(self._api.http, request, first, last, file.size, _reject_html_page)

        if isinstance(sink, FileSink):
            decryptor = self._decryptor if file.encrypted else None
            sink.checksum = CRC32 if decryptor is None else decryptor.create_part_file_mac(file)
        range_size = None
        if file.encrypted:
            range_size = chunk_size
        elif chunk_size > 2:
            range_size = chunk_size * max(1, RANGE_SIZE // chunk_size)
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
            open_range=open_encrypted if file.encrypted else open_plain,
            size=file.size,
            range_size=range_size,
        )

    def _verify_password(self, files: Sequence[DownloadFile]) -> None:
        """Check the password with the smallest encrypted file before anything is written."""
        encrypted = [file for file in files if file.encrypted and file.size]
        if self._decryptor is not None and encrypted:
            smallest = min(encrypted, key=lambda file: file.size)
            decryptor, fetch_range = self._decryptor, self._create_range_fetcher(smallest)

            def verify() -> None:
                self._runner.run_uninterruptible(lambda: decryptor.get_key(smallest))
                description = f"first chunk of {smallest.name}"
                self._runner.retry(description, lambda: decryptor.verify_password(smallest, fetch_range))

            self._runner.run_one(verify)

    def _create_range_fetcher(self, file: DownloadFile) -> FetchRange:
        """Return a function that fetches a range of an encrypted file.

        The total in ``Content-Range`` is the size of the file before encryption.

        Source: FileSender protocol, sections 9 and 15.
        """
        request, size = self._api.build_download_request(self._token, [file.id]), file.encrypted_size
        return lambda start, stop: open_range(
            self._api.http,
            request,
            start,
            stop,
            size,
            _reject_html_page,
            total=file.size,
            always_send_range=True,
        )

    @property
    def _token_hash(self) -> str:
        """Hash of the token, which can be stored because it does not grant access."""
        return hashlib.sha256(self._token.encode("utf-8")).hexdigest()[:16]


@contextlib.contextmanager
def _open_archive(
    http: HTTPTransport, request: RequestSpec, empty_file: Optional[str]
) -> Iterator[RangeResponse]:
    """Make one attempt to request an archive.

    Sites cannot archive an empty file: a zip request returns status 500, a tar body is truncated.

    :param empty_file: name of an empty file in the archive, if there is one.
    :raises IntegrityError: the request failed, and there is an empty file.

    Source: FileSender protocol, section 15.
    """
    try:
        with open_range(http, request, 0, None, None, _reject_html_page) as response:
            yield response
    except (ServerError, Truncated) as error:
        if empty_file is None:
            raise
        raise FileSenderIntegrityError(
            f"{error.summary}; sites cannot archive empty files, and {empty_file!r} is empty",
            hint="download the files one by one: download_files(token, directory)",
        ) from error


def _reject_html_page(response: requests.Response) -> None:
    """Raise an error for an HTML page in place of a file: sites report errors as pages with status 200."""
    is_html = response.headers.get("Content-Type", "").startswith("text/html")
    if is_html and response.status_code == 200 and "Content-Disposition" not in response.headers:
        raise FileSenderDecodeError(
            "the server sent an HTML page instead of the file",
            hint="the link may have expired, or the site may require a login: open it in a browser",
        )
