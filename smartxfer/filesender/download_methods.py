"""Downloads as methods of the client: files of a transfer by its token, or all of it as an archive.

Source: FileSender protocol, section 8.
"""

import functools
from typing import TYPE_CHECKING, Collection, List, Literal, Optional, Sequence, Union

from smartxfer.errors import UsageError
from smartxfer.system_text import FilePath

if TYPE_CHECKING:
    from smartxfer.filesender.account import Account
    from smartxfer.filesender.downloading import Fetching
    from smartxfer.filesender.models import DownloadFile
    from smartxfer.filesender.sealing import Password
    from smartxfer.transfer.existing import Exists
    from smartxfer.transfer.operation import Operation
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transfer.result import FileResult, TransferReport
    from smartxfer.transfer.sink import SinkLike

__all__ = ["download_archive", "download_file", "download_files", "fetching_of", "list_files"]


def list_files(self: "Account", token: str) -> "List[DownloadFile]":
    """The files that a download link leads to.

    :param token: of the link, or the whole link.
    :raises NotFound: the token is wrong or expired.

    Source: FileSender protocol, section 8.1.
    """
    return self._calls.listing(self._token_of(token))


def download_files(
    self: "Account",
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
    :raises EncryptedTransfer: the files are end-to-end encrypted, and there is no password.
    :raises WrongPassword: they do not open with it; nothing was written.

    Source: FileSender protocol, section 8.
    """
    from smartxfer.filesender.downloading import choose, directory_of
    from smartxfer.transfer.existing import check_exists
    from smartxfer.transfer.result import settle

    token, directory = self._token_of(token), directory_of(out_dir)
    check_exists(exists, newer=False)
    with self._operation(progress, cancel, deadline) as operation:
        calls = self._calls.watched(operation)
        chosen = choose(operation.call(functools.partial(calls.listing, token)), files)
        fetching = fetching_of(self, operation, token, chosen, password, key_version)
        return settle(fetching.into_directory(chosen, directory, exists=exists, hidden=hidden), operation)


def download_file(
    self: "Account",
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
    from smartxfer.filesender.downloading import choose
    from smartxfer.filesender.errors import FileSenderSizeMismatch
    from smartxfer.transfer.existing import check_exists
    from smartxfer.transfer.result import settle
    from smartxfer.transfer.sink import check_sink, open_sink

    token = self._token_of(token)
    is_path = check_sink(out_dir) is not None
    check_exists(exists, newer=False)
    with self._operation(progress, cancel, deadline) as operation:
        calls = self._calls.watched(operation)
        [file] = choose(operation.call(functools.partial(calls.listing, token)), [file_id])
        if file_size is not None and int(file_size) != file.size:
            raise FileSenderSizeMismatch(
                f"{file.name!r} has {file.size} bytes, not {int(file_size)}",
                expected=int(file_size),
                actual=file.size,
            )
        if file_name is not None:
            file = file.renamed(file_name)
        fetching = fetching_of(self, operation, token, [file], password, key_version)
        if not is_path:
            return settle([fetching.into(file, open_sink(out_dir, file.name))], operation)[0]
        named = file_name is not None
        found = fetching.into_directory([file], out_dir, exists=exists, hidden=hidden, explicit=named)
        return settle(found, operation)[0]


def download_archive(
    self: "Account",
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
    :raises EncryptedTransfer: the server cannot pack what it cannot read.

    Source: FileSender protocol, section 8.2.
    """
    from smartxfer.filesender.downloading import Fetching, choose
    from smartxfer.filesender.errors import FileSenderEncryptedTransfer
    from smartxfer.transfer.existing import check_exists
    from smartxfer.transfer.result import settle
    from smartxfer.transfer.sink import check_sink, open_sink

    path = check_sink(out_file)
    chosen_format = archive_format or ("tar" if path is not None and path.suffix == ".tar" else "zip")
    if chosen_format not in ("zip", "tar"):
        raise UsageError(f"archive_format is zip or tar, not {archive_format!r}")
    token = self._token_of(token)
    check_exists(exists, newer=False)
    with self._operation(progress, cancel, deadline) as operation:
        calls = self._calls.watched(operation)
        chosen = choose(operation.call(functools.partial(calls.listing, token)), files)
        if any(file.encrypted for file in chosen):
            raise FileSenderEncryptedTransfer(
                "an encrypted transfer does not come as an archive",
                hint="download_files(password=) fetches it",
            )
        sink = open_sink(out_file, f"archive.{chosen_format}")
        fetching = Fetching(calls, operation, token, 1)
        return settle([fetching.archive(chosen, sink, chosen_format, exists)], operation)[0]


def fetching_of(
    self: "Account",
    operation: "Operation",
    token: str,
    files: "Sequence[DownloadFile]",
    password: "Password",
    key_version: Optional[int],
    max_workers: Optional[int] = None,
) -> "Fetching":
    """Return what fetches files of a transfer.

    :param max_workers: files, and pieces of each, at a time; None: as the client is set to.
    """
    from smartxfer.filesender.downloading import Fetching, opening_of
    from smartxfer.filesender.uploading import MOST_WORKERS

    return Fetching(
        self._calls,
        operation,
        token,
        max_workers or self._max_workers,
        max_workers or self.concurrent_files or MOST_WORKERS,
        opening_of(files, password, key_version),
    )
