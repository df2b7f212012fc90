"""Client methods that download the files of a transfer, one by one or as an archive.

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
    """Return the files of a download link.

    :param token: token of the link, or the link.
    :raises NotFound: the token is invalid or expired.

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
    """Download the files of a transfer; the same call resumes an interrupted download.

    :param token: token of the download link, or the link.
    :param out_dir: directory, created if missing; names from the server cannot leave it.
    :param files: ids or names of the files; None for all.
    :param password: of encrypted files, or a function that returns it.  If it is text, files that are not
        encrypted are rejected.
    :param key_version: reject files that are not encrypted with this version, because the server's own
        report cannot be trusted.
    :param exists: what to do with an existing file with other content: ``"replace"``, ``"skip"`` or
        ``"rename"`` (save under another name); None: an error, unless an earlier run wrote its content.
    :param hidden: keep the leading dot of names; by default it is replaced by ``_``.
    :return: one result per file, in the order of the transfer; ``.skipped`` is the reason if a file was kept.
    :raises TargetExists: an existing file has other content; for several files, in BatchError.
    :raises BatchError: some of several files failed; see ``.results``.
    :raises NotFound: the token is invalid or expired, or the file does not exist.
    :raises PasswordRequired: the files are end-to-end encrypted, and no password was given.
    :raises WrongPassword: the files cannot be decrypted with the password; nothing was written.

    Source: FileSender protocol, section 8.
    """
    from smartxfer.filesender.download import require_directory_path, select_files
    from smartxfer.transfer.existing_files import validate_exists
    from smartxfer.transfer.result import raise_for_errors

    token, directory = self._extract_token(token), require_directory_path(out_dir)
    validate_exists(exists, supports_newer=False)
    with self._new_runner(progress, cancel, deadline) as runner:
        api = self._api.with_runner(runner)
        selected = select_files(runner.run_one(functools.partial(api.list_download_files, token)), files)
        workflow = create_download_workflow(self, runner, token, selected, password, key_version)
        return raise_for_errors(
            workflow.download_to_directory(selected, directory, exists=exists, hidden=hidden), runner
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
    """Download one file of a transfer.

    :param token: token of the download link, or the link.
    :param out_dir: directory, created if missing; or an open binary file, or a sink.
    :param file_size: expected size in bytes.
    :param file_name: name to save it under, instead of the server's; without ``exists`` an existing file of
        this name is replaced.
    :raises SizeMismatch: the file has another size than ``file_size``.

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
        api = self._api.with_runner(runner)
        [file] = select_files(runner.run_one(functools.partial(api.list_download_files, token)), [file_id])
        if file_size is not None and int(file_size) != file.size:
            raise FileSenderSizeMismatch(
                f"{file.name!r} has {file.size} bytes, expected file_size={int(file_size)}",
                expected=int(file_size),
                actual=file.size,
                hint="leave out file_size= to accept the size that the server reports",
            )
        if file_name is not None:
            file = file.with_name(file_name)
        workflow = create_download_workflow(self, runner, token, [file], password, key_version)
        if is_path:
            results = workflow.download_to_directory(
                [file], out_dir, exists=exists, hidden=hidden, explicit_names=file_name is not None
            )
        else:
            results = [workflow.download_to_sink(file, open_sink(out_dir, file.name))]
        return raise_for_errors(results, runner)[0]


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
    """Download a transfer as one archive, which the server creates.

    An interrupted download of an archive starts from the beginning.

    :param token: token of the download link, or the link.
    :param out_file: path of the archive, or a directory; or an open binary file, or a sink.
    :param files: ids or names of the files; None for all.
    :param archive_format: ``"zip"`` or ``"tar"``; by default the suffix of the path, else zip.
    :param exists: what to do with an existing file, as in :meth:`download_files`; None replaces a file whose
        path you pass.
    :raises PasswordRequired: a file is end-to-end encrypted, so that the server cannot put it in an archive.

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
            f"invalid archive_format: {archive_format!r}", hint="pass archive_format='zip' or 'tar'"
        )
    token = self._extract_token(token)
    validate_exists(exists, supports_newer=False)
    with self._new_runner(progress, cancel, deadline) as runner:
        api = self._api.with_runner(runner)
        selected = select_files(runner.run_one(functools.partial(api.list_download_files, token)), files)
        if any(file.encrypted for file in selected):
            raise FileSenderPasswordRequired(
                "an encrypted transfer cannot be downloaded as an archive",
                hint="call download_files(token, directory, password=...)",
            )
        sink = open_sink(out_file, f"archive.{chosen_format}")
        workflow = DownloadWorkflow(api, runner, token, 1)
        return raise_for_errors([workflow.download_archive(selected, sink, chosen_format, exists)], runner)[0]


def create_download_workflow(
    self: "ClientProtocol",
    runner: "TransferRunner",
    token: str,
    files: "Sequence[DownloadFile]",
    password: "Password",
    key_version: Optional[int],
    max_workers: Optional[int] = None,
) -> "DownloadWorkflow":
    """Return the workflow that downloads files of a transfer.

    :param max_workers: concurrent files, and concurrent ranges of each; None for the client's settings.
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
