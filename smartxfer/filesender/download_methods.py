"""Downloads as methods of the client: files of a transfer by its token, or all of it as an archive.

Source: FileSender protocol, section 8.
"""

import functools
from typing import TYPE_CHECKING, Collection, List, Literal, Optional, Sequence, Union

from smartxfer.errors import UsageError
from smartxfer.os_text import FilePath

if TYPE_CHECKING:
    from smartxfer.filesender.client_protocol import ClientProtocol
    from smartxfer.filesender.download import DownloadWorkflow
    from smartxfer.filesender.models import DownloadFile
    from smartxfer.filesender.upload_encryption import Password
    from smartxfer.transfer.existing_files import Exists
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transfer.result import FileResult, TransferReport
    from smartxfer.transfer.runner import TransferRunner
    from smartxfer.transfer.sink import SinkLike

__all__ = ["create_download_workflow", "download_archive", "download_file", "download_files", "list_files"]


def list_files(self: "ClientProtocol", token: str) -> "List[DownloadFile]":
    """The files that a download link leads to.

    :param token: of the link, or the whole link.
    :raises NotFound: the token is wrong or expired.

    Source: FileSender protocol, section 8.1.
    """
    return self._api.list_download_files(self._extract_token(token))


def download_files(
    self: "ClientProtocol",
    token: str,
    out_dir: FilePath,
    *,
    files: Optional[Collection[Union[int, str]]] = None,
    password: "Password" = None,
    key_version: Optional[int] = None,
    exists: "Exists" = None,
    hidden: bool = False,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
) -> "TransferReport":
    """Fetch the files of a transfer; a broken run goes on where it stopped.

    :param token: of the download link, or the whole link.
    :param out_dir: directory, made if missing; names from the server cannot leave it.
    :param files: ids or names of the files wanted; None for all.
    :param password: of encrypted files; or a function that asks for it.  Given as text, it has every file
        that is not encrypted refused.
    :param key_version: that the files must have been encrypted by: a server may say what it likes.
    :param exists: what to do about an existing file with other content: ``"replace"``, ``"skip"`` or
        ``"rename"`` (save under another name); None: an error, unless an earlier run wrote its content.
    :param hidden: keep the leading dot of names; by default it becomes ``_``.
    :return: one result per file, in the order of the transfer; of a kept file ``.skipped`` says why.
    :raises TargetExists: an existing file has other content; of several files, in BatchError.
    :raises BatchError: some of several files failed; ``.results`` tells which.
    :raises NotFound: the token is wrong or expired, or there is no such file.
    :raises PasswordRequired: the files are end-to-end encrypted, and there is no password.
    :raises WrongPassword: they do not open with it; nothing was written.

    Source: FileSender protocol, section 8.
    """
    from smartxfer.filesender.download import require_directory_path, select_files
    from smartxfer.transfer.existing_files import validate_exists
    from smartxfer.transfer.result import raise_for_errors

    token, directory = self._extract_token(token), require_directory_path(out_dir)
    validate_exists(exists, supports_newer=False)
    with self._new_runner(progress, cancel, deadline) as runner:
        calls = self._api.with_runner(runner)
        chosen = select_files(runner.run_one(functools.partial(calls.list_download_files, token)), files)
        fetching = create_download_workflow(self, runner, token, chosen, password, key_version)
        return raise_for_errors(
            fetching.download_to_directory(chosen, directory, exists=exists, hidden=hidden), runner
        )


def download_file(
    self: "ClientProtocol",
    token: str,
    file_id: int,
    out_dir: "SinkLike",
    file_size: Union[int, float, None] = None,
    file_name: Optional[str] = None,
    *,
    password: "Password" = None,
    key_version: Optional[int] = None,
    exists: "Exists" = None,
    hidden: bool = False,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
) -> "FileResult":
    """Fetch one file of a transfer.

    :param token: of the download link, or the whole link.
    :param out_dir: directory, made if missing; or an open binary file, or a sink.
    :param file_size: bytes that it must have, if you know.
    :param file_name: the name to save it under, in place of the server's; an existing file is replaced
        unless ``exists`` says otherwise.
    :raises SizeMismatch: it has another size than ``file_size``.

    Otherwise like :meth:`download_files`.  Source: FileSender protocol, section 8.
    """
    from smartxfer.filesender.download import select_files
    from smartxfer.filesender.errors import FileSenderSizeMismatch
    from smartxfer.transfer.existing_files import validate_exists
    from smartxfer.transfer.result import raise_for_errors
    from smartxfer.transfer.sink import open_sink, validate_sink

    token = self._extract_token(token)
    is_path = validate_sink(out_dir) is not None
    validate_exists(exists, supports_newer=False)
    with self._new_runner(progress, cancel, deadline) as runner:
        calls = self._api.with_runner(runner)
        [file] = select_files(runner.run_one(functools.partial(calls.list_download_files, token)), [file_id])
        if file_size is not None and int(file_size) != file.size:
            raise FileSenderSizeMismatch(
                f"{file.name!r} has {file.size} bytes, not {int(file_size)}",
                expected=int(file_size),
                actual=file.size,
            )
        if file_name is not None:
            file = file.with_name(file_name)
        fetching = create_download_workflow(self, runner, token, [file], password, key_version)
        if not is_path:
            return raise_for_errors([fetching.download_to_sink(file, open_sink(out_dir, file.name))], runner)[
                0
            ]
        named = file_name is not None
        found = fetching.download_to_directory(
            [file], out_dir, exists=exists, hidden=hidden, explicit_names=named
        )
        return raise_for_errors(found, runner)[0]


def download_archive(
    self: "ClientProtocol",
    token: str,
    out_file: "SinkLike",
    *,
    files: Optional[Collection[Union[int, str]]] = None,
    archive_format: Literal["zip", "tar", None] = None,
    exists: "Exists" = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
) -> "FileResult":
    """Fetch a whole transfer as one archive, which the server packs; it is not unpacked here.

    A broken download of an archive begins anew.

    :param token: of the download link, or the whole link.
    :param out_file: path of the archive, or a directory; or an open binary file, or a sink.
    :param files: ids or names of the files wanted; None for all.
    :param archive_format: ``"zip"`` or ``"tar"``; by default what the path's name ends in, else zip.
    :param exists: what to do about an existing file, as in :meth:`download_files`; None replaces the file
        of a path that you give.
    :raises PasswordRequired: the server cannot pack what it cannot read.

    Source: FileSender protocol, section 8.2.
    """
    from smartxfer.filesender.download import DownloadWorkflow, select_files
    from smartxfer.filesender.errors import FileSenderPasswordRequired
    from smartxfer.transfer.existing_files import validate_exists
    from smartxfer.transfer.result import raise_for_errors
    from smartxfer.transfer.sink import open_sink, validate_sink

    path = validate_sink(out_file)
    chosen_format = archive_format or ("tar" if path is not None and path.suffix == ".tar" else "zip")
    if chosen_format not in ("zip", "tar"):
        raise UsageError(
            f"archive_format is zip or tar, not {archive_format!r}",
            hint="pass archive_format='zip' or 'tar'",
        )
    token = self._extract_token(token)
    validate_exists(exists, supports_newer=False)
    with self._new_runner(progress, cancel, deadline) as runner:
        calls = self._api.with_runner(runner)
        chosen = select_files(runner.run_one(functools.partial(calls.list_download_files, token)), files)
        if any(file.encrypted for file in chosen):
            raise FileSenderPasswordRequired(
                "an encrypted transfer does not come as an archive",
                hint="download_files(password=) fetches it",
            )
        sink = open_sink(out_file, f"archive.{chosen_format}")
        fetching = DownloadWorkflow(calls, runner, token, 1)
        return raise_for_errors([fetching.download_archive(chosen, sink, chosen_format, exists)], runner)[0]


def create_download_workflow(
    self: "ClientProtocol",
    runner: "TransferRunner",
    token: str,
    files: "Sequence[DownloadFile]",
    password: "Password",
    key_version: Optional[int],
    max_workers: Optional[int] = None,
) -> "DownloadWorkflow":
    """Return what fetches files of a transfer.

    :param max_workers: files, and pieces of each, at a time; None: as the client is set to.
    """
    from smartxfer.filesender.download import DownloadWorkflow, create_decryptor
    from smartxfer.filesender.upload import MAX_WORKERS

    return DownloadWorkflow(
        self._api,
        runner,
        token,
        max_workers or self._max_workers,
        max_workers or self.concurrent_files or MAX_WORKERS,
        create_decryptor(files, password, key_version),
    )
