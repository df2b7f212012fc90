"""The methods ``download``, ``download_many`` and ``download_tree``, which all clients have.

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
    """Download one file of a transfer; the same call resumes an interrupted download.

    :param source: ``"TOKEN/NAME"``; for a transfer of one file also its token or download link.
    :param target: a directory, a file name, an open binary file, or a sink.
    :param exists: what to do with an existing file with other content: ``"replace"``, ``"skip"`` or
        ``"rename"`` (save under another name).  None replaces a file whose path you pass; in a directory it
        is an error, unless an earlier run wrote its content.
    :param progress: None, True for a bar, a label, or a callable that takes a ProgressEvent.
    :param cancel: anything with ``is_set()``.
    :param deadline: seconds after which to stop.
    :param password: of an encrypted file, or a function that returns it.  If it is text, a file that is not
        encrypted is rejected.
    :param key_version: reject a file that is not encrypted with this version, because the server's own
        report cannot be trusted.
    :param hidden: keep the leading dot of its name; by default it is replaced by ``_``.
    :return: the result; ``.item`` is the DownloadFile.
    :raises NotFound: the token is invalid or expired, or the file does not exist.
    :raises UsageError: the transfer has several files, and ``source`` has no name.
    :raises TargetExists: the directory has a file of that name with other content.
    :raises PasswordRequired: the file is end-to-end encrypted, and no password was given.

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
        api = self._api.with_runner(runner)
        file = select_single_file(runner.run_one(functools.partial(api.list_download_files, token)), name)
        [path] = unique_paths_or_errors([file.name], hidden, target_directory(target))
        if isinstance(path, UnsafeName):
            raise path
        workflow = create_download_workflow(self, runner, token, [file], password, key_version)
        result = workflow.download_to_sink(file, open_sink(target, path.name), exists)
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
    """Download several files concurrently into a directory.

    :param sources: one file or several, as for :meth:`download`, of one transfer or several.  For an empty
        list no request is sent.
    :param target: local directory, created if missing; names from the server cannot leave it.
    :param max_workers: concurrent files; None for ``concurrent_files`` of the client.
    :return: one result per file, in order.
    :raises BatchError: some of several files failed; see ``.results``.

    Otherwise like :meth:`download`.
    """
    from smartxfer.filesender.download import require_directory_path
    from smartxfer.filesender.site_address import split_source
    from smartxfer.transfer.existing_files import validate_exists
    from smartxfer.transfer.result import TransferReport, raise_for_errors

    source_list = [sources] if isinstance(sources, str) else list(sources)
    pairs = [(self._extract_token(link), name) for link, name in map(split_source, source_list)]
    directory = require_directory_path(target)
    validate_exists(exists, supports_newer=False)
    with self._new_runner(progress, cancel, deadline, max_workers) as runner:
        if not pairs:
            return TransferReport()
        api = self._api.with_runner(runner)
        tokens = list(dict.fromkeys(token for token, _ in pairs))
        files_by_token = {
            token: runner.run_one(functools.partial(api.list_download_files, token)) for token in tokens
        }
        selected = [(token, select_single_file(files_by_token[token], name)) for token, name in pairs]
        results: Dict[Tuple[str, int], FileResult] = {}
        for token in tokens:
            files = list({file.id: file for file_token, file in selected if file_token == token}.values())
            workflow = create_download_workflow(
                self, runner, token, files, password, key_version, max_workers
            )
            outcomes = workflow.download_to_directory(files, directory, exists=exists, hidden=hidden)
            for file, result in zip(files, _attach_items(outcomes, files)):
                results[token, file.id] = result
        return raise_for_errors([results[token, file.id] for token, file in selected], runner)


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
    """Download the files of a transfer concurrently.

    :param source: token of the download link, or the link.
    :param include: glob patterns of the names to download, such as ``"*.csv"``; None for all.
    :param exclude: glob patterns of the names to leave out.
    :param dry_run: download nothing and return the files that would be downloaded, whether or not they
        exist in the target.

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
        api = self._api.with_runner(runner)
        all_files = runner.run_one(functools.partial(api.list_download_files, token))
        files = [file for file in all_files if selection.includes(file.name)]
        if dry_run:
            paths = unique_paths_or_errors([file.name for file in files], hidden, directory)
            return TransferReport(
                FileResult(file.name, error=path)
                if isinstance(path, UnsafeName)
                else FileResult(file.name, directory / path, file.size, item=file)
                for file, path in zip(files, paths)
            )
        if not files:
            return raise_for_errors([], runner)
        workflow = create_download_workflow(self, runner, token, files, password, key_version, max_workers)
        results = workflow.download_to_directory(files, directory, exists=exists, hidden=hidden)
        return raise_for_errors(_attach_items(results, files), runner)


def select_single_file(files: "Sequence[DownloadFile]", name: Optional[str]) -> "DownloadFile":
    """Return the file with the given name; without a name, the only file.

    :raises NotFound: the transfer does not have a file of that name.
    :raises UsageError: ``name`` is None, and there is not exactly one file.
    """
    from smartxfer.filesender.download import select_files

    if name is not None:
        return select_files(files, [name])[0]
    if len(files) != 1:
        raise UsageError(
            f"the transfer has {len(files)} files",
            hint='pass "TOKEN/NAME" to select one, or call download_tree() for all',
        )
    return files[0]


def _attach_items(results: "Sequence[FileResult]", files: "Sequence[DownloadFile]") -> "List[FileResult]":
    """Return the results with the DownloadFile of each as ``item``."""
    import attrs

    return [attrs.evolve(result, item=file) for result, file in zip(results, files)]
