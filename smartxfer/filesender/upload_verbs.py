"""The verbs that all clients share, as methods: ``upload``, ``upload_many``, ``upload_tree``.

Each call makes one transfer.

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
"""Who gets the files: None makes a link, text is one address, a list has several."""


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
    """Send a file in a transfer of its own, and notify the recipients.

    :param source: a path, bytes, an open binary file or a stream; ``(name, thing)`` gives it a name.
    :param target: address of the recipient, or several; None makes a link.
    :param resume: False starts anew where an earlier run stopped half-way.
    :param progress: None, True for a bar, a label, or a callable that takes a ProgressEvent.
    :param cancel: anything with ``is_set()``.
    :param deadline: seconds after which to stop.
    :param subject: of the mail.
    :param message: in the mail.
    :param transfer_args: ``from``, ``expires`` and ``options``, as for :meth:`upload_workflow`.
    :param password: encrypt the file with it, as the site's web page does; or a function that asks.
    :param key_version: of the encryption: 1 (AES-CBC) or 3 (AES-GCM); by default what the site asks for.
    :param accept_aup: accept the site's terms of use, which some sites insist on.
    :param extra: fields of ``POST /transfer`` that this version does not know.
    :return: what became of the file; ``.url`` is the first recipient's download link, ``.item`` the Transfer.
    :raises UsageError: something is wrong with the arguments; nothing was sent.
    :raises OutcomeUnknown: the answer to the creation was lost; nothing of the file was sent.

    Source: FileSender protocol, section 6.
    """
    from smartxfer.transfer.source import as_source_path

    path = as_source_path(source[1] if isinstance(source, tuple) and len(source) == 2 else source)
    if path is not None and path.is_dir():
        raise UsageError(f"upload() sends one file; {path} is a directory", hint="call upload_tree()")
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
    """Send several files in one transfer, and notify the recipients.

    :param sources: one source or several, as for :meth:`upload`; a directory means the files in it, with
        its own name before theirs.
    :param max_workers: files at a time; None: ``concurrent_files`` of the client.
    :return: one result per file, in order; all have the same ``.url`` and ``.item``.
    :raises UsageError: there are no files: a transfer has at least one.
    :raises BatchError: some of several files failed; ``.results`` tells which.

    Otherwise like :meth:`upload`.
    """
    from smartxfer.transfer.result import TransferReport

    options, began = _build_workflow_options(target, subject, message, transfer_args), self._clock.monotonic()
    transfer = upload_workflow(
        self, sources, **options, password=password, key_version=key_version, accept_aup=accept_aup,
        resume=resume, max_workers=max_workers, extra=extra, progress=progress, cancel=cancel,
        deadline=deadline,
    )  # fmt: skip
    return TransferReport(_attach_transfer(transfer), self._clock.monotonic() - began)


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
    """Send what is in a directory in one transfer, and notify the recipients.

    :param directory: local; the names in the transfer are the paths of its files, relative to it.
    :param include: glob patterns of the files that are meant, such as ``"*.csv"``; None for all.
    :param exclude: glob patterns of files and directories that are left out.
    :param follow_symlinks: send what symbolic links lead to; by default they are skipped.
    :param dry_run: make no transfer; the results tell what would be sent.

    Otherwise like :meth:`upload_many`.
    """
    from smartxfer.transfer.local_files import collect_directory_files
    from smartxfer.transfer.result import FileResult, TransferReport
    from smartxfer.transfer.selection import Selection

    items = collect_directory_files(directory, follow_symlinks, Selection(include, exclude))
    options = _build_workflow_options(target, subject, message, transfer_args)
    if dry_run:
        return TransferReport([FileResult(item.name, item.path, item.size) for item in items])
    began = self._clock.monotonic()
    named = [(item.name, item.path) for item in items if item.path is not None]
    transfer = upload_workflow(
        self, named, **options, password=password,
        key_version=key_version, accept_aup=accept_aup, resume=resume, max_workers=max_workers,
        extra=extra, progress=progress, cancel=cancel, deadline=deadline,
    )  # fmt: skip
    return TransferReport(_attach_transfer(transfer), self._clock.monotonic() - began)


def _build_workflow_options(
    target: Recipients,
    subject: Optional[str],
    message: Optional[str],
    transfer_args: "Optional[PartialTransfer]",
) -> Dict[str, Any]:
    """Return what the upload workflow wants to know of a transfer.

    :raises UsageError: something is given twice.
    """
    given = {"recipients": target, "subject": subject, "message": message}
    named = {key: value for key, value in given.items() if value is not None}
    made: Dict[str, Any] = dict(transfer_args or {})
    if "recipients" in made:
        raise UsageError("transfer_args holds recipients", hint="target= says who gets the files")
    twice = [key for key in named if key in made]
    if twice:
        raise UsageError(f"{twice[0]} is given twice", hint=f"give {twice[0]}=, or transfer_args")
    if isinstance(target, str):
        named["recipients"] = [target]
    return {"transfer_args": {**made, **named}, "link": target is None}


def _attach_transfer(transfer: "Transfer") -> "List[FileResult]":
    """The results of an upload, with the transfer and its link."""
    import attrs

    return [attrs.evolve(one, item=transfer, url=transfer.download_url) for one in transfer.results]
