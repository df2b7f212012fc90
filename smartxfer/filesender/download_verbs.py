"""The verbs that all clients share, as methods: ``download``, ``download_many``, ``download_tree``.

Source: FileSender protocol, section 8.
"""

import functools
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, Tuple, Union

from smartxfer.errors import UnsafeName, UsageError
from smartxfer.filesender.download_methods import fetching_of
from smartxfer.secret_text import hides_arguments
from smartxfer.system_text import FilePath

if TYPE_CHECKING:
    from smartxfer.filesender.account import Account
    from smartxfer.filesender.models import DownloadFile
    from smartxfer.filesender.sealing import Password
    from smartxfer.transfer.existing import Exists
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transfer.result import FileResult, TransferReport
    from smartxfer.transfer.selection import Patterns
    from smartxfer.transfer.sink import SinkLike

__all__ = ["download", "download_many", "download_tree", "single"]


@hides_arguments("source", "sources", "password")
def download(
    self: "Account",
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
    :raises EncryptedTransfer: the file is end-to-end encrypted, and there is no password.

    Source: FileSender protocol, section 8.
    """
    import attrs

    from smartxfer.filesender.site import split_source
    from smartxfer.transfer.existing import check_exists
    from smartxfer.transfer.names import paths_or_errors
    from smartxfer.transfer.result import settle
    from smartxfer.transfer.sink import check_sink, open_sink
    from smartxfer.transfer.sink import directory_of as target_directory

    link, name = split_source(source)
    token = self._token_of(link)
    check_sink(target)
    check_exists(exists, newer=False)
    with self._operation(progress, cancel, deadline) as operation:
        calls = self._calls.watched(operation)
        file = single(operation.call(functools.partial(calls.listing, token)), name)
        [path] = paths_or_errors([file.name], hidden, target_directory(target))
        if isinstance(path, UnsafeName):
            raise path
        fetching = fetching_of(self, operation, token, [file], password, key_version)
        result = fetching.into(file, open_sink(target, path.name), exists)
        return settle([attrs.evolve(result, item=file)], operation)[0]


@hides_arguments("source", "sources", "password")
def download_many(
    self: "Account",
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
    from smartxfer.filesender.downloading import directory_of
    from smartxfer.filesender.site import split_source
    from smartxfer.transfer.existing import check_exists
    from smartxfer.transfer.result import TransferReport, settle

    several = [sources] if isinstance(sources, str) else list(sources)
    pairs = [(self._token_of(link), name) for link, name in map(split_source, several)]
    directory = directory_of(target)
    check_exists(exists, newer=False)
    with self._operation(progress, cancel, deadline, max_workers) as operation:
        if not pairs:
            return TransferReport()
        calls = self._calls.watched(operation)
        tokens = list(dict.fromkeys(token for token, _ in pairs))
        listed = {token: operation.call(functools.partial(calls.listing, token)) for token in tokens}
        wanted = [(token, single(listed[token], name)) for token, name in pairs]
        results: Dict[Tuple[str, int], FileResult] = {}
        for token in listed:
            files = list({file.id: file for own, file in wanted if own == token}.values())
            fetching = fetching_of(self, operation, token, files, password, key_version, max_workers)
            found = fetching.into_directory(files, directory, exists=exists, hidden=hidden)
            results.update(((token, file.id), one) for file, one in zip(files, _with_items(found, files)))
        return settle([results[token, file.id] for token, file in wanted], operation)


@hides_arguments("source", "sources", "password")
def download_tree(
    self: "Account",
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
    from smartxfer.filesender.downloading import directory_of
    from smartxfer.transfer.existing import check_exists
    from smartxfer.transfer.names import paths_or_errors
    from smartxfer.transfer.result import FileResult, TransferReport, settle
    from smartxfer.transfer.selection import Selection

    token, directory, selection = self._token_of(source), directory_of(target), Selection(include, exclude)
    check_exists(exists, newer=False)
    with self._operation(progress, cancel, deadline, max_workers) as operation:
        calls = self._calls.watched(operation)
        listed = operation.call(functools.partial(calls.listing, token))
        files = [file for file in listed if selection.takes(file.name)]
        if dry_run:
            names = paths_or_errors([file.name for file in files], hidden, directory)
            return TransferReport(
                FileResult(file.name, error=path)
                if isinstance(path, UnsafeName)
                else FileResult(file.name, directory / path, file.size, item=file)
                for file, path in zip(files, names)
            )
        if not files:
            return settle([], operation)
        fetching = fetching_of(self, operation, token, files, password, key_version, max_workers)
        found = fetching.into_directory(files, directory, exists=exists, hidden=hidden)
        return settle(_with_items(found, files), operation)


def single(files: "Sequence[DownloadFile]", name: Optional[str]) -> "DownloadFile":
    """Return the one file that is meant.

    :raises NotFound: there is no file of that name.
    :raises UsageError: there are several, and none is named.
    """
    from smartxfer.filesender.downloading import choose

    if name is not None:
        return choose(files, [name])[0]
    if len(files) != 1:
        raise UsageError(
            f"the transfer has {len(files)} files", hint='"TOKEN/NAME" is one; download_tree() fetches all'
        )
    return files[0]


def _with_items(results: "Sequence[FileResult]", files: "Sequence[DownloadFile]") -> "List[FileResult]":
    """The results, with what the site knows of each file."""
    import attrs

    return [attrs.evolve(result, item=file) for result, file in zip(results, files)]
