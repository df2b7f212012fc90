"""The verbs that all clients share, as methods: ``download``, ``download_many``, ``download_tree``.

Source: FileSender protocol, section 8.
"""

import functools
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, Tuple, Union

from smartxfer.errors import UnsafeName, UsageError
from smartxfer.filesender.download_methods import create_download_workflow
from smartxfer.os_text import FilePath
from smartxfer.secret_text import hide_arguments

if TYPE_CHECKING:
    from smartxfer.filesender.client_protocol import ClientProtocol
    from smartxfer.filesender.models import DownloadFile
    from smartxfer.filesender.upload_encryption import Password
    from smartxfer.transfer.existing_files import Exists
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transfer.result import FileResult, TransferReport
    from smartxfer.transfer.selection import Patterns
    from smartxfer.transfer.sink import SinkLike

__all__ = ["download", "download_many", "download_tree", "select_single_file"]


@hide_arguments("source", "sources", "password")
def download(
    self: "ClientProtocol",
    source: str,
    target: "SinkLike" = ".",
    *,
    exists: "Exists" = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
    password: "Password" = None,
    key_version: Optional[int] = None,
    hidden: bool = False,
) -> "FileResult":
    """Fetch one file of a transfer; a broken run is continued.

    :param source: ``"TOKEN/NAME"``; of a transfer of one file its token or the whole download link.
    :param target: a directory, a file name, an open binary file, or a sink.
    :param exists: what to do about an existing file with other content: ``"replace"``, ``"skip"`` or
        ``"rename"`` (save under another name).  None replaces the file of a path that you give; in a
        directory it is an error, unless an earlier run wrote its content.
    :param progress: None, True for a bar, a label, or a callable that takes a ProgressEvent.
    :param cancel: anything with ``is_set()``.
    :param deadline: seconds after which to stop.
    :param password: of an encrypted file; or a function that asks for it.  Given as text, it has a file that
        is not encrypted refused.
    :param key_version: that the file must have been encrypted by: a server may say what it likes.
    :param hidden: keep the leading dot of its name; by default it becomes ``_``.
    :return: what became of the file; ``.item`` is the DownloadFile.
    :raises NotFound: the token is wrong or expired, or there is no such file.
    :raises UsageError: the transfer has several files, and none is named.
    :raises TargetExists: the directory has a file of that name with other content.
    :raises PasswordRequired: the file is end-to-end encrypted, and there is no password.

    Source: FileSender protocol, section 8.
    """
    import attrs

    from smartxfer.filesender.site_address import split_source
    from smartxfer.transfer.existing_files import validate_exists
    from smartxfer.transfer.result import raise_for_errors
    from smartxfer.transfer.safe_paths import unique_paths_or_errors
    from smartxfer.transfer.sink import get_target_directory as target_directory
    from smartxfer.transfer.sink import open_sink, validate_sink

    link, name = split_source(source)
    token = self._extract_token(link)
    validate_sink(target)
    validate_exists(exists, supports_newer=False)
    with self._new_runner(progress, cancel, deadline) as runner:
        calls = self._api.with_runner(runner)
        file = select_single_file(runner.run_one(functools.partial(calls.list_download_files, token)), name)
        [path] = unique_paths_or_errors([file.name], hidden, target_directory(target))
        if isinstance(path, UnsafeName):
            raise path
        fetching = create_download_workflow(self, runner, token, [file], password, key_version)
        result = fetching.download_to_sink(file, open_sink(target, path.name), exists)
        return raise_for_errors([attrs.evolve(result, item=file)], runner)[0]


@hide_arguments("source", "sources", "password")
def download_many(
    self: "ClientProtocol",
    sources: Union[str, Sequence[str]],
    target: FilePath = ".",
    *,
    exists: "Exists" = None,
    max_workers: Optional[int] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
    password: "Password" = None,
    key_version: Optional[int] = None,
    hidden: bool = False,
) -> "TransferReport":
    """Fetch several files into a directory, several at a time.

    :param sources: one file or several, as for :meth:`download`, of one transfer or several.  For an empty
        list nothing is asked.
    :param target: local directory, made if missing; names from the server cannot leave it.
    :param max_workers: files at a time; None: ``concurrent_files`` of the client.
    :return: one result per file, in order.
    :raises BatchError: some of several files failed; ``.results`` tells which.

    Otherwise like :meth:`download`.
    """
    from smartxfer.filesender.download import require_directory_path
    from smartxfer.filesender.site_address import split_source
    from smartxfer.transfer.existing_files import validate_exists
    from smartxfer.transfer.result import TransferReport, raise_for_errors

    several = [sources] if isinstance(sources, str) else list(sources)
    pairs = [(self._extract_token(link), name) for link, name in map(split_source, several)]
    directory = require_directory_path(target)
    validate_exists(exists, supports_newer=False)
    with self._new_runner(progress, cancel, deadline, max_workers) as runner:
        if not pairs:
            return TransferReport()
        calls = self._api.with_runner(runner)
        tokens = list(dict.fromkeys(token for token, _ in pairs))
        listed = {
            token: runner.run_one(functools.partial(calls.list_download_files, token)) for token in tokens
        }
        wanted = [(token, select_single_file(listed[token], name)) for token, name in pairs]
        results: Dict[Tuple[str, int], FileResult] = {}
        for token in listed:
            files = list({file.id: file for own, file in wanted if own == token}.values())
            fetching = create_download_workflow(
                self, runner, token, files, password, key_version, max_workers
            )
            found = fetching.download_to_directory(files, directory, exists=exists, hidden=hidden)
            results.update(((token, file.id), one) for file, one in zip(files, _attach_items(found, files)))
        return raise_for_errors([results[token, file.id] for token, file in wanted], runner)


@hide_arguments("source", "sources", "password")
def download_tree(
    self: "ClientProtocol",
    source: str,
    target: FilePath = ".",
    *,
    exists: "Exists" = None,
    include: "Patterns" = None,
    exclude: "Patterns" = None,
    dry_run: bool = False,
    max_workers: Optional[int] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
    password: "Password" = None,
    key_version: Optional[int] = None,
    hidden: bool = False,
) -> "TransferReport":
    """Fetch the files of a transfer, several at a time.

    :param source: token of the download link, or the whole link.
    :param include: glob patterns of the names that are meant, such as ``"*.csv"``; None for all.
    :param exclude: glob patterns of names that are left out.
    :param dry_run: fetch nothing; the results tell what would be fetched.  Existing files are not looked at.

    Otherwise like :meth:`download_many`.
    """
    from smartxfer.filesender.download import require_directory_path
    from smartxfer.transfer.existing_files import validate_exists
    from smartxfer.transfer.result import FileResult, TransferReport, raise_for_errors
    from smartxfer.transfer.safe_paths import unique_paths_or_errors
    from smartxfer.transfer.selection import Selection

    token, directory, selection = (
        self._extract_token(source),
        require_directory_path(target),
        Selection(include, exclude),
    )
    validate_exists(exists, supports_newer=False)
    with self._new_runner(progress, cancel, deadline, max_workers) as runner:
        calls = self._api.with_runner(runner)
        listed = runner.run_one(functools.partial(calls.list_download_files, token))
        files = [file for file in listed if selection.includes(file.name)]
        if dry_run:
            names = unique_paths_or_errors([file.name for file in files], hidden, directory)
            return TransferReport(
                FileResult(file.name, error=path)
                if isinstance(path, UnsafeName)
                else FileResult(file.name, directory / path, file.size, item=file)
                for file, path in zip(files, names)
            )
        if not files:
            return raise_for_errors([], runner)
        fetching = create_download_workflow(self, runner, token, files, password, key_version, max_workers)
        found = fetching.download_to_directory(files, directory, exists=exists, hidden=hidden)
        return raise_for_errors(_attach_items(found, files), runner)


def select_single_file(files: "Sequence[DownloadFile]", name: Optional[str]) -> "DownloadFile":
    """Return the one file that is meant.

    :raises NotFound: there is no file of that name.
    :raises UsageError: there are several, and none is named.
    """
    from smartxfer.filesender.download import select_files

    if name is not None:
        return select_files(files, [name])[0]
    if len(files) != 1:
        raise UsageError(
            f"the transfer has {len(files)} files", hint='"TOKEN/NAME" is one; download_tree() fetches all'
        )
    return files[0]


def _attach_items(results: "Sequence[FileResult]", files: "Sequence[DownloadFile]") -> "List[FileResult]":
    """The results, with what the site knows of each file."""
    import attrs

    return [attrs.evolve(result, item=file) for result, file in zip(results, files)]
