"""The methods ``upload``, ``upload_many`` and ``upload_tree``, which all clients have.

Each call creates one transfer.

Source: FileSender protocol, section 6.
"""

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Union

from smartxfer.errors import UsageError
from smartxfer.filesender.upload_methods import upload_workflow
from smartxfer.os_text import FilePath

if TYPE_CHECKING:
    from smartxfer.filesender.client_protocol import ClientProtocol
    from smartxfer.filesender.models import Transfer
    from smartxfer.filesender.request_body import Extra
    from smartxfer.filesender.request_types import PartialTransfer
    from smartxfer.filesender.upload_encryption import Password
    from smartxfer.transfer.local_files import FileLike, FilesLike
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transfer.result import FileResult, TransferReport
    from smartxfer.transfer.selection import Patterns

__all__ = ["upload", "upload_many", "upload_tree"]

Recipients = Union[None, str, Sequence[str]]
"""Recipients of a transfer: one address, a list of addresses, or None to create a link."""


def upload(
    self: "ClientProtocol",
    source: "FileLike",
    target: Recipients = None,
    *,
    resume: bool = True,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
    subject: Optional[str] = None,
    message: Optional[str] = None,
    transfer_args: "Optional[PartialTransfer]" = None,
    password: "Password" = None,
    key_version: Optional[int] = None,
    accept_aup: bool = False,
    extra: "Extra" = None,
) -> "FileResult":
    """Send a file in a separate transfer; the site mails the recipients.

    :param source: a path, bytes, an open binary file or a stream; ``(name, source)`` sets its name.
    :param target: address of the recipient, or a list of addresses; None creates a link.
    :param resume: False to start over instead of resuming an earlier run.
    :param progress: None, True for a bar, a label, or a callable that takes a ProgressEvent.
    :param cancel: anything with ``is_set()``.
    :param deadline: seconds after which to stop.
    :param subject: of the mail.
    :param message: text in the mail.
    :param transfer_args: ``from``, ``expires`` and ``options``, as for :meth:`upload_workflow`.
    :param password: encrypt the file with it, as the site's web page does; or a function that returns it.
    :param key_version: of the encryption: 1 (AES-CBC) or 3 (AES-GCM); None for the site's setting.
    :param accept_aup: accept the site's terms of use, which some sites require.
    :param extra: fields of ``POST /transfer`` that this version does not support.
    :return: the result; ``.url`` is the first recipient's download link, ``.item`` the Transfer.
    :raises UsageError: an argument is invalid; nothing was sent.
    :raises OutcomeUnknown: the response to the creation was lost; nothing of the file was sent.

    Source: FileSender protocol, section 6.
    """
    from smartxfer.transfer.source import as_source_path

    path = as_source_path(source[1] if isinstance(source, tuple) and len(source) == 2 else source)
    if path is not None and path.is_dir():
        raise UsageError(f"{path} is a directory", hint="call upload_tree() to send a directory")
    options = _build_workflow_options(target, subject, message, transfer_args)
    transfer = upload_workflow(
        self, [source], **options, password=password, key_version=key_version, accept_aup=accept_aup,
        resume=resume, extra=extra, progress=progress, cancel=cancel, deadline=deadline,
    )  # fmt: skip
    return _attach_transfer(transfer)[0]


def upload_many(
    self: "ClientProtocol",
    sources: "FilesLike",
    target: Recipients = None,
    *,
    resume: bool = True,
    max_workers: Optional[int] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
    subject: Optional[str] = None,
    message: Optional[str] = None,
    transfer_args: "Optional[PartialTransfer]" = None,
    password: "Password" = None,
    key_version: Optional[int] = None,
    accept_aup: bool = False,
    extra: "Extra" = None,
) -> "TransferReport":
    """Send several files in one transfer; the site mails the recipients.

    :param sources: one source or several, as for :meth:`upload`; for a directory, the files in it are sent
        with the directory's name as a prefix.
    :param max_workers: concurrent files; None for ``concurrent_files`` of the client.
    :return: one result per file, in order; all have the same ``.url`` and ``.item``.
    :raises UsageError: ``sources`` has no files; a transfer needs at least one.
    :raises BatchError: some of several files failed; see ``.results``.

    Otherwise like :meth:`upload`.
    """
    from smartxfer.transfer.result import TransferReport

    options = _build_workflow_options(target, subject, message, transfer_args)
    started = self._clock.monotonic()
    transfer = upload_workflow(
        self, sources, **options, password=password, key_version=key_version, accept_aup=accept_aup,
        resume=resume, max_workers=max_workers, extra=extra, progress=progress, cancel=cancel,
        deadline=deadline,
    )  # fmt: skip
    return TransferReport(_attach_transfer(transfer), self._clock.monotonic() - started)


def upload_tree(
    self: "ClientProtocol",
    directory: FilePath,
    target: Recipients = None,
    *,
    resume: bool = True,
    include: "Patterns" = None,
    exclude: "Patterns" = None,
    follow_symlinks: bool = False,
    dry_run: bool = False,
    max_workers: Optional[int] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
    subject: Optional[str] = None,
    message: Optional[str] = None,
    transfer_args: "Optional[PartialTransfer]" = None,
    password: "Password" = None,
    key_version: Optional[int] = None,
    accept_aup: bool = False,
    extra: "Extra" = None,
) -> "TransferReport":
    """Send the files of a directory in one transfer; the site mails the recipients.

    :param directory: local directory; the names in the transfer are paths relative to it.
    :param include: glob patterns of the files to send, such as ``"*.csv"``; None for all.
    :param exclude: glob patterns of files and directories to leave out.
    :param follow_symlinks: send the targets of symbolic links; by default links are skipped.
    :param dry_run: create no transfer and return the files that would be sent.

    Otherwise like :meth:`upload_many`.
    """
    from smartxfer.transfer.local_files import collect_directory_files
    from smartxfer.transfer.result import FileResult, TransferReport
    from smartxfer.transfer.selection import Selection

    files = collect_directory_files(directory, follow_symlinks, Selection(include, exclude))
    options = _build_workflow_options(target, subject, message, transfer_args)
    if dry_run:
        return TransferReport([FileResult(file.name, file.path, file.size) for file in files])
    started = self._clock.monotonic()
    sources = [(file.name, file.path) for file in files if file.path is not None]
    transfer = upload_workflow(
        self, sources, **options, password=password,
        key_version=key_version, accept_aup=accept_aup, resume=resume, max_workers=max_workers,
        extra=extra, progress=progress, cancel=cancel, deadline=deadline,
    )  # fmt: skip
    return TransferReport(_attach_transfer(transfer), self._clock.monotonic() - started)


def _build_workflow_options(
    target: Recipients,
    subject: Optional[str],
    message: Optional[str],
    transfer_args: "Optional[PartialTransfer]",
) -> Dict[str, Any]:
    """Return ``transfer_args`` and ``link`` for :func:`upload_workflow`.

    :raises UsageError: a value is given twice.
    """
    values = {"recipients": target, "subject": subject, "message": message}
    explicit = {key: value for key, value in values.items() if value is not None}
    args: Dict[str, Any] = dict(transfer_args or {})
    if "recipients" in args:
        raise UsageError("transfer_args must not contain recipients", hint="pass the recipients as target=")
    duplicates = [key for key in explicit if key in args]
    if duplicates:
        name = duplicates[0]
        raise UsageError(f"{name} is given twice", hint=f"pass {name}= or transfer_args={{{name!r}: ...}}")
    if isinstance(target, str):
        explicit["recipients"] = [target]
    return {"transfer_args": {**args, **explicit}, "link": target is None}


def _attach_transfer(transfer: "Transfer") -> "List[FileResult]":
    """Return the results of an upload with the transfer and its link."""
    import attrs

    return [attrs.evolve(result, item=transfer, url=transfer.download_url) for result in transfer.results]
