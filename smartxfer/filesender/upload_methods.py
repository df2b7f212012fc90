"""Uploads as methods of the client: the workflow, and one file of a transfer.

Source: FileSender protocol, section 6.
"""

import contextlib
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from smartxfer.filesender.client_protocol import ClientProtocol
    from smartxfer.filesender.models import File, Transfer
    from smartxfer.filesender.request_body import Extra
    from smartxfer.filesender.request_types import PartialTransfer
    from smartxfer.filesender.upload_encryption import Password
    from smartxfer.transfer.local_files import FilesLike
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transfer.result import FileResult
    from smartxfer.transfer.source import SourceLike

__all__ = ["upload_complete", "upload_file", "upload_workflow"]


def upload_file(
    self: "ClientProtocol",
    file_info: "File",
    path: "SourceLike",
    *,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
) -> "FileResult":
    """Send a file's chunks, several at a time, without marking it complete (section 6.2).

    :param file_info: one of the ``files`` of a created transfer.
    :raises SizeMismatch: the file has another size than the one announced.
    """
    return _upload_one_file(self, file_info, path, False, progress, cancel, deadline)


def upload_complete(
    self: "ClientProtocol",
    file_info: "File",
    path: "SourceLike",
    *,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
) -> "FileResult":
    """Send a file's chunks and mark it complete (section 6.3); otherwise like :meth:`upload_file`."""
    return _upload_one_file(self, file_info, path, True, progress, cancel, deadline)


def _upload_one_file(
    self: "ClientProtocol",
    file_info: "File",
    path: "SourceLike",
    mark_complete: bool,
    progress: "Progress",
    cancel: "Optional[Cancel]",
    deadline: Optional[float],
) -> "FileResult":
    from smartxfer.filesender.errors import FileSenderSizeMismatch
    from smartxfer.filesender.models import File
    from smartxfer.filesender.upload import upload_files
    from smartxfer.transfer.local_files import collect_files
    from smartxfer.transfer.result import raise_for_errors

    with self._new_runner(progress, cancel, deadline) as runner:
        self._ensure_prepared(runner)
        file = File.from_wire(file_info)
        [item] = collect_files([(file.name, path)])
        if item.size != file.size:
            raise FileSenderSizeMismatch(
                f"{file.name} was announced with {file.size} bytes and has {item.size}",
                expected=file.size,
                actual=item.size,
            )
        calls = self._api.with_runner(runner)
        results = upload_files(calls, runner, [(item, file)], self._concurrency, mark_complete=mark_complete)
    return raise_for_errors(results, runner)[0]


def upload_workflow(
    self: "ClientProtocol",
    files: "FilesLike",
    transfer_args: "PartialTransfer" = {},  # noqa: B006 - the seed's default, never changed
    *,
    password: "Password" = None,
    key_version: Optional[int] = None,
    link: bool = False,
    accept_aup: bool = False,
    resume: bool = True,
    follow_symlinks: bool = False,
    max_workers: Optional[int] = None,
    extra: "Extra" = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
) -> "Transfer":
    """Send files and directories, and have the recipients told.

    Everything is checked against the site's limits before anything is created.  When it fails half-way,
    the same call goes on where it stopped.

    :param files: paths, also of directories; bytes, open binary files, and ``(name, thing)`` pairs.
    :param transfer_args: ``recipients``, ``from``, ``subject``, ``message``, ``expires`` (seconds since
        the epoch), ``options``.  Without the key ``recipients`` it makes a link.
    :param password: encrypt the files with it, as the site's web page does; or a function that asks.
    :param key_version: of the encryption: 1 (AES-CBC) or 3 (AES-GCM); by default what the site asks for.
    :param link: make a transfer without recipients; its ``download_url`` is for you to pass on.
    :param accept_aup: accept the site's terms of use, which some sites insist on.
    :param resume: False starts anew where an earlier run stopped half-way.
    :param follow_symlinks: send what symbolic links in directories lead to; by default they are skipped.
    :param max_workers: files at a time; None: ``concurrent_files`` of the client.
    :param extra: fields of ``POST /transfer`` that this version does not know, such as
        ``{"options": {"new_option": True}}``.
    :param progress: None, True for a bar, a label, or a callable that takes a ProgressEvent.
    :param cancel: anything with ``is_set()``.
    :param deadline: seconds after which to stop.
    :return: the completed transfer; ``.results`` tells of each file.
    :raises UsageError: something is wrong with the arguments, such as an unknown key or an empty list of
        recipients; nothing was sent.
    :raises UploadRejected: the transfer has neither recipients nor a link; it was deleted.
    :raises BatchError: some of several files failed; ``.results`` tells which.
    :raises OutcomeUnknown: the answer to the creation was lost; nothing of the files was sent.

    Source: FileSender protocol, section 6.
    """
    from smartxfer.filesender import request_body, upload, upload_encryption, upload_journal, validation
    from smartxfer.validation import validate_count

    threads = None if max_workers is None else self._thread_count(validate_count(max_workers, "max_workers"))
    runner = self._new_runner(progress, cancel, deadline, threads)
    with contextlib.ExitStack() as stack, runner:
        site = self._ensure_prepared(runner)
        calls = self._api.with_runner(runner)
        items = upload.collect_normalized_files(files, follow_symlinks)
        sender = getattr(calls.signer.auth, "username", None)
        body = request_body.build_transfer_body(items, transfer_args, sender, link, extra)
        if accept_aup:
            body["aup_checked"] = True
        secret = upload_encryption.resolve_password(password)
        cipher = upload_encryption.create_upload_encryption(
            secret, items, site.config, site.info.upload_chunk_size, key_version
        )
        announced = body if cipher is None else cipher.add_to_request(body)
        validation.validate_transfer(announced, site.config, now=calls.clock.time())
        journal = upload_journal.create_journal(calls, items, body, cipher)
        if journal is not None:
            stack.enter_context(journal)
            if not resume:
                runner.run_one(lambda: upload_journal.discard_resumable_transfer(journal, calls))
        width = self._concurrency if max_workers is None else self._concurrency.with_files(max_workers)
        return upload.UploadWorkflow(calls, runner, items, announced, width, journal, cipher).run()
