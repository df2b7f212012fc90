"""Client methods that upload: the complete workflow, or one file of a created transfer.

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
    """Send a file's chunks concurrently, without marking the file complete (section 6.2).

    :param file_info: one of the ``files`` of a created transfer.
    :raises SizeMismatch: the file has another size than ``file_info``.
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
        [local_file] = collect_files([(file.name, path)])
        if local_file.size != file.size:
            raise FileSenderSizeMismatch(
                f"{file.name} has {local_file.size} bytes, but the transfer was created with {file.size}",
                expected=file.size,
                actual=local_file.size,
                hint="create the transfer with the size of the file",
            )
        api, pairs = self._api.with_runner(runner), [(local_file, file)]
        results = upload_files(api, runner, pairs, self._concurrency, mark_complete=mark_complete)
    return raise_for_errors(results, runner)[0]


def upload_workflow(
    self: "ClientProtocol",
    files: "FilesLike",
    transfer_args: "PartialTransfer" = {},  # noqa: B006 - default of filesender-client, never modified
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
    """Send files and directories; the site mails the recipients.

    All arguments are checked against the site's limits before anything is created.  The same call resumes
    an interrupted upload.

    :param files: paths, also of directories; bytes, open binary files, and ``(name, source)`` pairs.
    :param transfer_args: ``recipients``, ``from``, ``subject``, ``message``, ``expires`` (seconds since
        the epoch), ``options``.  Without the key ``recipients`` a link is created.
    :param password: encrypt the files with it, as the site's web page does; or a function that returns it.
    :param key_version: of the encryption: 1 (AES-CBC) or 3 (AES-GCM); None for the site's setting.
    :param link: True to create a transfer without recipients; ``download_url`` is its link.
    :param accept_aup: accept the site's terms of use, which some sites require.
    :param resume: False to start over instead of resuming an earlier run.
    :param follow_symlinks: send the targets of symbolic links in directories; by default links are skipped.
    :param max_workers: concurrent files; None for ``concurrent_files`` of the client.
    :param extra: fields of ``POST /transfer`` that this version does not support, such as
        ``{"options": {"new_option": True}}``.
    :param progress: None, True for a bar, a label, or a callable that takes a ProgressEvent.
    :param cancel: anything with ``is_set()``.
    :param deadline: seconds after which to stop.
    :return: the completed transfer; ``.results`` has one result per file.
    :raises UsageError: an argument is invalid; nothing was sent.
    :raises UploadRejected: the transfer has neither recipients nor a link; it was deleted.
    :raises BatchError: some of several files failed; see ``.results``.
    :raises OutcomeUnknown: the response to the creation was lost; no file was sent.

    Source: FileSender protocol, section 6.
    """
    from smartxfer.filesender import request_body, upload, upload_encryption, upload_journal, validation
    from smartxfer.validation import validate_count

    threads = None if max_workers is None else self._thread_count(validate_count(max_workers, "max_workers"))
    runner = self._new_runner(progress, cancel, deadline, threads)
    with contextlib.ExitStack() as stack, runner:
        site = self._ensure_prepared(runner)
        api = self._api.with_runner(runner)
        local_files = upload.collect_normalized_files(files, follow_symlinks)
        sender = getattr(api.signer.auth, "username", None)
        plain_body = request_body.build_transfer_body(local_files, transfer_args, sender, link, extra)
        if accept_aup:
            plain_body["aup_checked"] = True
        encryption = upload_encryption.create_upload_encryption(
            password, local_files, site.config, site.info.upload_chunk_size, key_version
        )
        body = plain_body if encryption is None else encryption.add_to_request(plain_body)
        validation.validate_transfer(body, site.config, now=api.clock.time())
        journal = upload_journal.create_journal(api, local_files, plain_body, encryption)
        if journal is not None:
            stack.enter_context(journal)
            if not resume:
                runner.run_one(lambda: upload_journal.discard_resumable_transfer(journal, api))
        concurrency = self._concurrency if max_workers is None else self._concurrency.with_files(max_workers)
        return upload.UploadWorkflow(api, runner, local_files, body, concurrency, journal, encryption).run()
