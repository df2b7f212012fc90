"""The FileSender client.

Source: FileSender protocol; each method names its section.
"""

import contextlib
import unicodedata
from typing import Collection, List, Literal, Optional, Union

import attrs

from smartxfer.errors import UsageError
from smartxfer.filesender import checks, verbs
from smartxfer.filesender import download_verbs as down
from smartxfer.filesender import upload_verbs as up
from smartxfer.filesender.auth import GuestAuth, UserAuth
from smartxfer.filesender.creation import create
from smartxfer.filesender.downloading import Fetching, choose, directory_of, opening_of
from smartxfer.filesender.errors import FileSenderEncryptedTransfer, FileSenderSizeMismatch
from smartxfer.filesender.journals import drop_earlier, journal_of
from smartxfer.filesender.models import DownloadFile, File, Transfer
from smartxfer.filesender.request_body import Extra, check_update, raw_transfer_body, transfer_body
from smartxfer.filesender.request_types import FileUpdate, PartialTransfer
from smartxfer.filesender.request_types import Transfer as TransferRequest
from smartxfer.filesender.sealing import Password, given_password, sealing_for
from smartxfer.filesender.site import SiteConfig
from smartxfer.filesender.site_client import SiteClient
from smartxfer.filesender.uploading import MOST_WORKERS, Sending, Width, send_files
from smartxfer.options import check_count
from smartxfer.secret_text import hides
from smartxfer.system_text import FilePath
from smartxfer.transfer.existing import Exists, check_exists
from smartxfer.transfer.progress import Progress
from smartxfer.transfer.protocols import Cancel
from smartxfer.transfer.result import FileResult, TransferReport, settle
from smartxfer.transfer.sink import SinkLike, check_sink, open_sink
from smartxfer.transfer.source import SourceLike
from smartxfer.transfer.tree import FilesLike, Item, collect

__all__ = ["FileSenderClient"]


@hides("password", "token", links=("base_url",))
class FileSenderClient(SiteClient):
    """Sends files through a FileSender site, and fetches them.

    :param base_url: the site's address in any form that people paste, voucher links included; None looks it
        up (FILESENDER_BASE_URL, ``~/.filesender/filesender.py.ini``, a profile).
    :param chunk_size: bytes per chunk; None takes the largest that the site allows.
    :param auth: :class:`UserAuth`, :class:`GuestAuth`, or :class:`Auth` to look up a user's credentials
        (FILESENDER_USERNAME, FILESENDER_API_KEY, ...) once a request needs them.  With a download or voucher
        link as ``base_url`` no account is used: the link's own token is enough.
    :param concurrent_files: files that are sent or fetched at a time; None for all, at most 16.
    :param concurrent_chunks: chunks of each file at a time; None for one worker per chunk, at most 16.
    :param signing_host: the name by which the server knows itself, where that is not the URL's host.

    The other parameters are settings of every client: :class:`~smartxfer.client_options.ClientOptions`.

    >>> with FileSenderClient.from_environment() as client:
    ...     transfer = client.upload_workflow(["report.pdf"], link=True)
    ...     for result in client.download_files(transfer.download_url, "copies"):
    ...         print(result.name, result.bytes, result.verified)
    report.pdf 14 size

    Source: FileSender protocol.
    """

    # -- the verbs that all clients share ---------------------------------------------------------------

    upload, upload_many, upload_tree = up.upload, up.upload_many, up.upload_tree
    download, download_many, download_tree = down.download, down.download_many, down.download_tree
    list, info, exists, remove = verbs.list_files, verbs.info, verbs.exists, verbs.remove

    # -- shorter names of the namespaces' ----------------------------------------------------------------

    update_transfer = verbs.update_transfer
    create_guest = verbs.create_guest

    # -- the site's calls -------------------------------------------------------------------------------

    def create_transfer(self, body: TransferRequest, *, extra: Extra = None) -> Transfer:
        """Announce a transfer; :meth:`upload_workflow` does this and all that follows.

        Everything is checked against the site's limits before anything is created.

        :param body: ``files`` (each with ``name`` and ``size`` in bytes), ``recipients``, ``options``, ...
        :param extra: fields of the request that this version does not know.
        :raises UsageError: something is wrong with the body; nothing was created.
        :raises UploadRejected: the transfer has neither recipients nor a link; it was deleted.
        :raises OutcomeUnknown: the answer was lost: an empty transfer may exist, which the site removes.

        Source: FileSender protocol, section 6.1.
        """
        self._need_auth()
        made = raw_transfer_body(body, isinstance(self.auth, GuestAuth), extra)
        checks.check_transfer(made, self._config or SiteConfig(), now=self._clock.wall())
        return create(self._calls, made)

    def update_file(self, file_info: File, body: FileUpdate, *, extra: Extra = None) -> None:
        """Change a file, such as ``{"complete": True}`` (section 6.3).

        :param file_info: one of the ``files`` of a created transfer.
        :param extra: fields of the request that this version does not know.
        :raises UsageError: ``body`` has an unknown key, or none.
        """
        change = check_update(body, FileUpdate, extra)
        self._need_auth()
        self._calls.update_file(File.from_wire(file_info), change)

    # -- uploads ----------------------------------------------------------------------------------------

    def upload_file(
        self,
        file_info: File,
        path: SourceLike,
        *,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> FileResult:
        """Send a file's chunks, several at a time, without marking it complete (section 6.2).

        :param file_info: one of the ``files`` of a created transfer.
        :raises SizeMismatch: the file has another size than the one announced.
        """
        return self._send_one(file_info, path, False, progress, cancel, deadline)

    def upload_complete(
        self,
        file_info: File,
        path: SourceLike,
        *,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> FileResult:
        """Send a file's chunks and mark it complete (section 6.3); otherwise like :meth:`upload_file`."""
        return self._send_one(file_info, path, True, progress, cancel, deadline)

    def _send_one(
        self,
        file_info: File,
        path: SourceLike,
        complete: bool,
        progress: Progress,
        cancel: Optional[Cancel],
        deadline: Optional[float],
    ) -> FileResult:
        with self._operation(progress, cancel, deadline) as operation:
            self._need_auth(operation)
            file = File.from_wire(file_info)
            [item] = collect([(file.name, path)])
            if item.size != file.size:
                raise FileSenderSizeMismatch(
                    f"{file.name} was announced with {file.size} bytes and has {item.size}",
                    expected=file.size,
                    actual=item.size,
                )
            results = send_files(
                self._calls, operation, [(item, file)], self._width, complete=complete
            )
        return settle(results, operation)[0]

    def upload_workflow(
        self,
        files: FilesLike,
        transfer_args: PartialTransfer = {},  # noqa: B006 - the seed's default, never changed
        *,
        password: Password = None,
        key_version: Optional[int] = None,
        link: bool = False,
        accept_aup: bool = False,
        resume: bool = True,
        follow_symlinks: bool = False,
        max_workers: Optional[int] = None,
        extra: Extra = None,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> Transfer:
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
        threads = None if max_workers is None else self._threads_for(check_count(max_workers, "max_workers"))
        operation = self._operation(progress, cancel, deadline, threads)
        with contextlib.ExitStack() as stack, operation:
            self._need_auth(operation)
            items = [_normalised(item) for item in collect(files, follow_symlinks)]
            sender = self.auth.username if isinstance(self.auth, UserAuth) else None
            body = transfer_body(items, transfer_args, sender, link, extra)
            if accept_aup:
                body["aup_checked"] = True
            config = self._config or SiteConfig()
            sealing = sealing_for(given_password(password), items, config, self._largest_chunk, key_version)
            announced = body if sealing is None else sealing.announced(body)
            checks.check_transfer(announced, config, now=self._clock.wall())
            journal = journal_of(self.base_url, self.auth, self._clock, items, body, sealing)
            if journal is not None:
                stack.enter_context(journal)
                if not resume:
                    calls = self._calls.watched(operation)
                    operation.call(lambda: drop_earlier(journal, calls, isinstance(self.auth, UserAuth)))
            width = self._width if max_workers is None else attrs.evolve(self._width, files=max_workers)
            return Sending(self._calls, operation, items, announced, width, journal, sealing).run()

    @property
    def _width(self) -> Width:
        files = self.concurrent_files or MOST_WORKERS
        return Width(files, self.concurrent_chunks or MOST_WORKERS, self.chunk_size or 1)

    @property
    def _threads(self) -> int:
        return self._threads_for(self._width.files)

    def _threads_for(self, files: int) -> int:
        return max(self._max_workers, min(files * self._width.chunks, 4 * MOST_WORKERS))

    # -- downloads --------------------------------------------------------------------------------------

    def list_files(self, token: str) -> List[DownloadFile]:
        """The files that a download link leads to.

        :param token: of the link, or the whole link.
        :raises NotFound: the token is wrong or expired.

        Source: FileSender protocol, section 8.1.
        """
        return self._calls.listing(self._token_of(token))

    def download_files(
        self,
        token: str,
        out_dir: FilePath,
        *,
        files: Optional[Collection[Union[int, str]]] = None,
        password: Password = None,
        key_version: Optional[int] = None,
        exists: Exists = None,
        hidden: bool = False,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> TransferReport:
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
        token, directory = self._token_of(token), directory_of(out_dir)
        check_exists(exists, newer=False)
        with self._operation(progress, cancel, deadline) as operation:
            chosen = choose(self._listed(token, operation), files)
            opening = opening_of(chosen, password, key_version)
            fetching = Fetching(self._calls, operation, token, self._max_workers, opening)
            at_once = self.concurrent_files or MOST_WORKERS
            found = fetching.into_directory(chosen, directory, at_once, exists=exists, hidden=hidden)
            return settle(found, operation)

    def download_file(
        self,
        token: str,
        file_id: int,
        out_dir: SinkLike,
        file_size: Union[int, float, None] = None,
        file_name: Optional[str] = None,
        *,
        password: Password = None,
        key_version: Optional[int] = None,
        exists: Exists = None,
        hidden: bool = False,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> FileResult:
        """Fetch one file of a transfer.

        :param token: of the download link, or the whole link.
        :param out_dir: directory, made if missing; or an open binary file, or a sink.
        :param file_size: bytes that it must have, if you know.
        :param file_name: the name to save it under, in place of the server's; an existing file is replaced
            unless ``exists`` says otherwise.
        :raises SizeMismatch: it has another size than ``file_size``.

        Otherwise like :meth:`download_files`.  Source: FileSender protocol, section 8.
        """
        token = self._token_of(token)
        is_path = check_sink(out_dir) is not None
        check_exists(exists, newer=False)
        with self._operation(progress, cancel, deadline) as operation:
            [file] = choose(self._listed(token, operation), [file_id])
            if file_size is not None and int(file_size) != file.size:
                raise FileSenderSizeMismatch(
                    f"{file.name!r} has {file.size} bytes, not {int(file_size)}",
                    expected=int(file_size),
                    actual=file.size,
                )
            if file_name is not None:
                file = file.renamed(file_name)
            opening = opening_of([file], password, key_version)
            fetching = Fetching(self._calls, operation, token, self._max_workers, opening)
            if not is_path:
                return settle([fetching.into(file, open_sink(out_dir, file.name))], operation)[0]
            named = file_name is not None
            found = fetching.into_directory([file], out_dir, 1, exists=exists, hidden=hidden, explicit=named)
            return settle(found, operation)[0]

    def download_archive(
        self,
        token: str,
        out_file: SinkLike,
        *,
        files: Optional[Collection[Union[int, str]]] = None,
        archive_format: Literal["zip", "tar", None] = None,
        exists: Exists = None,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> FileResult:
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
        path = check_sink(out_file)
        chosen_format = archive_format or ("tar" if path is not None and path.suffix == ".tar" else "zip")
        if chosen_format not in ("zip", "tar"):
            raise UsageError(f"archive_format is zip or tar, not {archive_format!r}")
        token = self._token_of(token)
        check_exists(exists, newer=False)
        with self._operation(progress, cancel, deadline) as operation:
            chosen = choose(self._listed(token, operation), files)
            if any(file.encrypted for file in chosen):
                raise FileSenderEncryptedTransfer(
                    "an encrypted transfer does not come as an archive",
                    hint="download_files(password=) fetches it",
                )
            sink = open_sink(out_file, f"archive.{chosen_format}")
            fetching = Fetching(self._calls, operation, token, 1)
            return settle([fetching.archive(chosen, sink, chosen_format, exists)], operation)[0]


def _normalised(item: Item) -> Item:
    """The item under a name that the site's rules can take: composed accents."""
    return attrs.evolve(item, name=unicodedata.normalize("NFC", item.name))
