"""What both clients can do: files, directories, links, tasks.

Source: SmartFile protocol; each method names its section.
"""

import datetime as dt
import math
from typing import TYPE_CHECKING, Any, Callable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import requests

from smartxfer.client_options import CertFiles, ClientOptions, FilePath, Timeout, Verify
from smartxfer.errors import UsageError
from smartxfer.options import DELIBERATE, check_keys, check_seconds, with_extra
from smartxfer.seams import Clock
from smartxfer.secret_text import hides
from smartxfer.smartfile import downloading, trees
from smartxfer.smartfile.calls import TASK_TIMEOUT
from smartxfer.smartfile.models import Info, Link, Task
from smartxfer.smartfile.paths import join, normal, path_text, split, target_text
from smartxfer.smartfile.raw import RawClient
from smartxfer.smartfile.uploading import send_files
from smartxfer.transfer.digest import new_hash
from smartxfer.transfer.download import DownloadLane
from smartxfer.transfer.existing import Exists, check_exists
from smartxfer.transfer.into import guard, renamed_from
from smartxfer.transfer.names import safe_path
from smartxfer.transfer.progress import Progress, WaitProgress, WaitReporter
from smartxfer.transfer.protocols import Cancel
from smartxfer.transfer.result import FileResult, TransferReport, settle
from smartxfer.transfer.sink import SinkLike, check_sink, directory_of, open_sink
from smartxfer.transfer.tree import FileLike, collect
from smartxfer.transport import RetryPolicy

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SmartFileClient"]

Remote = Union[str, Info]
"""A path on the server, from its root; or what ``stat`` or ``listdir`` said of it."""
Remotes = Union[Remote, Sequence[Remote]]
#: Fields of a new link beside its path, name, password and end (section 5).
_LINK_FIELDS = ("read", "list", "recursive", "cache", "usage_limit")


@hides("password", "proxies")
class SmartFileClient(RawClient):
    """The calls and workflows that do not depend on how one logs in."""

    @classmethod
    def from_environment(
        cls,
        *,
        version: str = "2",
        throttle_wait: bool = True,
        timeout: Timeout = (15.0, 60.0),
        retry: RetryPolicy = RetryPolicy(),
        session: Optional[requests.Session] = None,
        verify: Verify = True,
        cert: Optional[CertFiles] = None,
        cert_origins: Sequence[str] = (),
        proxies: Optional[Mapping[str, str]] = None,
        max_workers: int = 4,
        profile: Optional[str] = None,
        netrcfile: Optional[FilePath] = None,
        clock: Optional[Clock] = None,
    ) -> "Self":
        """Return a client whose address and credentials are looked up."""
        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        return cls(None, version=version, throttle_wait=throttle_wait, **options.keywords())

    # -- looking ----------------------------------------------------------------------------------------

    def stat(self, path: Remote) -> Info:
        """What the server knows of a file or directory.

        :raises NotFound: there is none.

        Source: SmartFile protocol, sections 3 and 5.
        """
        return self._calls.stat(normal(path))

    def exists(self, path: Remote) -> bool:
        """Whether there is a file or directory of that path."""
        return self._calls.find(normal(path)) is not None

    def listdir(self, path: Remote = "/") -> List[Info]:
        """What is in a directory, all pages of it, in the server's order.

        :raises NotFound: there is no such directory.

        Source: SmartFile protocol, section 5.
        """
        return list(self._calls.children(normal(path)))

    def walk(self, path: Remote = "/") -> Iterator[Tuple[str, List[Info], List[Info]]]:
        """A directory and all below it, as ``os.walk`` does: (path, directories, files), parents first."""
        return trees.walk(self._calls, normal(path))

    def checksum(self, path: Remotes, algorithm: str = "MD5", *, timeout: float = TASK_TIMEOUT) -> Any:
        """The hex digest of a file, reckoned by the server; of several, a dict by path.

        :param algorithm: ``MD5``, ``SHA1``, ``SHA256``, ``SHA512`` or ``CRC-32``, in any case.
        :param timeout: seconds to wait for the server.
        :raises TaskFailed: the server could not, for one of them at least.

        Source: SmartFile protocol, section 5.
        """
        several = isinstance(path, (list, tuple))
        paths = _all(path)
        found = self._calls.checksums(paths, algorithm, timeout)
        return found if several else found[paths[0]]

    # -- changing ---------------------------------------------------------------------------------------

    def mkdir(self, path: Remote) -> Info:
        """Make a directory (section 5)."""
        return self._calls.mkdir(normal(path))

    def rename(self, src: Remote, dst: str) -> Info:
        """Give a file or directory another path, at once (section 5).

        :param dst: the new path in full.
        :raises Conflict: there is something of that path.
        """
        return self._calls.rename(normal(src), normal(dst))

    def copy(self, src: Remotes, dst: Remote, *, timeout: float = TASK_TIMEOUT) -> Task:
        """Copy files or directories into a directory, and wait until it is done (section 5).

        :param dst: a directory.
        :raises TaskFailed: some could not be copied.
        """
        return self._done("copy", timeout, src=_all(src), dst=normal(dst))

    def move(self, src: Remotes, dst: str, *, timeout: float = TASK_TIMEOUT) -> Task:
        """Move files or directories, and wait until it is done (section 5).

        :param dst: the new path in full, or a directory to move into; then end it with a slash.
        :raises TaskFailed: some could not be moved.
        :raises Conflict: there is something of that path: some servers want the new path in full.
        """
        slash = "/" if str(dst).endswith("/") and normal(dst) != "/" else ""
        return self._done("move", timeout, src=_all(src), dst=normal(dst) + slash)

    def move_into(self, src: Remote, directory: Remote, *, timeout: float = TASK_TIMEOUT) -> Task:
        """Move one file or directory into a directory, on every server: the new path is sent in full."""
        return self.move(src, join(normal(directory), split(normal(src))[1]), timeout=timeout)

    def remove(self, path: Remotes, *, timeout: float = TASK_TIMEOUT) -> Task:
        """Remove files, and directories with all that is in them; wait until it is done (section 5).

        :raises NotFound: there is no such path.
        :raises TaskFailed: some could not be removed.
        """
        paths = _all(path)
        if "/" in paths:
            raise UsageError("the root directory is not removed", hint="remove what is in it")
        return self._done("remove", timeout, path=paths)

    def _done(self, operation: str, timeout: float, **fields: Any) -> Task:
        """Start an operation, and wait until it is done."""
        check_seconds(timeout, "timeout")
        return self._calls.wait(self._calls.start(operation, **fields), timeout)

    def wait(
        self,
        task: Any,
        timeout: float = TASK_TIMEOUT,
        *,
        progress: WaitProgress[Task] = None,
    ) -> Task:
        """Ask after a task, less and less often, until the server is through with it.

        :param task: what a long operation answered, or its uuid.
        :param timeout: seconds.
        :param progress: None, True for a line, a label for it, or a callable that takes each state.
        :return: the task as it ended; what it left behind is in ``.outcome``.
        :raises TaskFailed: it failed, or succeeded but for some paths.
        :raises WaitTimeout: it is not done yet, and goes on; ``.last`` is its state.

        Source: SmartFile protocol, section 5, Tasks.
        """
        with WaitReporter(progress, lambda state: (f"task {state.uuid[:8]}", state.status.lower())) as seen:
            return self._calls.wait(task, timeout, seen)

    # -- links ------------------------------------------------------------------------------------------

    def create_link(
        self,
        path: Remote,
        *,
        name: Optional[str] = None,
        password: Optional[str] = None,
        expires: Union[float, dt.timedelta, dt.datetime, None] = None,
        extra: Optional[Mapping[str, Any]] = None,
        **fields: Any,
    ) -> Link:
        """Make a link by which anybody can fetch a file, or look into a directory; ``.href`` is to pass on.

        :param password: what is asked of whoever follows it.
        :param expires: when it ends: seconds from now, a timedelta, or a datetime.
        :param extra: fields of the API that this version does not know.
        :param fields: ``read``, ``list``, ``recursive``, ``cache``, ``usage_limit``.
        :raises UsageError: an unknown field: a limit that is misspelt would make a link without it.
        :raises OutcomeUnknown: the answer was lost: the link may exist, see :meth:`links`.

        The vendor does not publish the fields for password and expiry: ``password``, and ``expires`` in
        seconds from now, are assumptions.  Source: SmartFile protocol, section 5.
        """
        seconds = None if expires is None else _lifetime(expires, self._clock.wall)
        check_keys(fields, _LINK_FIELDS, "create_link", hint=DELIBERATE)
        known = {"path": normal(path), "name": name, "password": password, "expires": seconds}
        return self._calls.create_link(with_extra({**known, **fields}, extra, _LINK_FIELDS))

    def links(self) -> List[Link]:
        """Every link of the account (section 5)."""
        return self._calls.links()

    def delete_link(self, link: Union[Link, str]) -> None:
        """Remove a link; one that is gone already is no error (section 5).

        :param link: the structure, or its uid.
        """
        self._calls.delete_link(path_text(link, hint="delete_link(link), with one of links() or its uid"))

    # -- files ------------------------------------------------------------------------------------------

    def upload(
        self,
        file: FileLike,
        path: str = "/",
        *,
        checksum: Optional[str] = None,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> FileResult:
        """Send a file; one of that path on the server is overwritten.

        :param file: a path, bytes, an open binary file or a stream; ``(name, thing)`` gives it a name.
        :param path: where it goes: a directory (with a slash at its end, or one that exists),
            or a path in full.
        :param checksum: ``"md5"``, ``"sha256"``, ...: has the server reckon it afterwards, and compares;
            without, sizes are compared.
        :param progress: None, True for a bar, a label, or a callable that takes a ProgressEvent.
        :param cancel: anything with ``is_set()``.
        :param deadline: seconds after which to stop.
        :raises SourceChanged: the file changed while it was sent.
        :raises NotFound: there is no such directory on the server.
        :raises UnexpectedAnswer: the answer is not one that the protocol documents for a stored file.

        Source: SmartFile protocol, section 5.
        """
        _known(checksum)
        path = target_text(path, file, "upload")
        items = collect([file])
        if len(items) != 1 or "/" in items[0].name:
            raise UsageError("upload() sends one file", hint="upload_tree() sends a directory")
        [item] = items
        with self._operation(progress, cancel, deadline) as operation:
            calls = self._calls.watched(operation)
            target = operation.call(lambda: trees.target(calls, path, item.name))
            return settle(send_files(self._calls, operation, [(item, target)], 1, checksum), operation)[0]

    def download(
        self,
        path: Remote,
        into: SinkLike = ".",
        *,
        checksum: Optional[str] = None,
        exists: Exists = None,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> FileResult:
        """Fetch a file; a broken run goes on where it stopped.

        :param path: on the server.
        :param into: a directory, a file name, an open binary file, or a sink.
        :param checksum: ``"md5"``, ``"sha256"``, ...: has the server reckon it first, and compares; without,
            the size is compared.
        :param exists: what to do about an existing file with other content: ``"replace"``, ``"skip"``,
            ``"rename"`` (save under another name) or ``"newer"`` (replace if the server's file is newer; its
            time has no zone, so that differences of less than a day cannot be told).  None replaces the file
            of a path that you give; in a directory it is an error, unless an earlier run wrote its content.
        :return: what became of the file; of a kept one ``.skipped`` says why.
        :raises NotFound: there is no such file.
        :raises TargetExists: the directory has a file of that name with other content.

        Otherwise like :meth:`upload`.  Source: SmartFile protocol, section 5.
        """
        _known(checksum)
        check_exists(exists)
        path_text(path, hint="download('/folder/name', 'name')")
        check_sink(into)
        with self._operation(progress, cancel, deadline) as operation:
            calls = self._calls.watched(operation)
            info = operation.call(lambda: calls.stat(normal(path)))
            if info.isdir and not info.isfile:
                raise UsageError(f"{info.path} is a directory", hint="download_tree() fetches it")
            digest = operation.call(lambda: trees.digest_of(calls, info.path, checksum))
            sink = open_sink(into, safe_path(split(info.path)[1], directory_of(into)).name)
            operation.reporter.queue(info.path, info.size)
            download = downloading.describe(calls, info, sink, digest)
            origin = renamed_from(sink, (trees.origin_of(calls), normal(info.path)))
            guarded = guard(download, exists, changed=downloading.changed(info), origin=origin)
            lane = DownloadLane(guarded, operation, self._max_workers)
            operation.run([lane], 1)
            return settle([lane.result], operation)[0]

    def upload_tree(
        self,
        directory: FilePath,
        path: str = "/",
        *,
        checksum: Optional[str] = None,
        follow_symlinks: bool = False,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> TransferReport:
        """Send what is in a directory, several files at a time; a broken run goes on where it stopped.

        :param directory: local; its files and directories, empty ones too, come to stand below ``path``.
        :param path: directory on the server, made if missing.
        :param follow_symlinks: send what symbolic links lead to; by default they are skipped.
        :return: one result per file; those that an earlier, broken run had sent have ``resumed`` set.
        :raises BatchError: some files failed; ``.results`` tells which.

        Otherwise like :meth:`upload`.
        """
        _known(checksum)
        upload = trees.TreeUp(directory, normal(path), follow_symlinks)
        with self._operation(progress, cancel, deadline) as operation:
            sent = upload.run(self._calls, operation, self._account, self._max_workers, checksum)
            return settle(sent, operation)

    def download_tree(
        self,
        path: Remote,
        directory: FilePath,
        *,
        checksum: Optional[str] = None,
        exists: Exists = None,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> TransferReport:
        """Fetch what is in a directory, several files at a time; a broken run goes on where it stopped.

        :param path: directory on the server; what is in it, empty directories too, comes below ``directory``.
        :param directory: local, made if missing; names from the server cannot leave it.
        :param exists: what to do about existing files with other content.
        :raises BatchError: some files failed; ``.results`` tells which.

        Otherwise like :meth:`download`.
        """
        _known(checksum)
        check_exists(exists)
        with self._operation(progress, cancel, deadline) as operation:
            at_once = self._max_workers
            found = trees.fetch(self._calls, operation, normal(path), directory, at_once, checksum, exists)
            return settle(found, operation)


def _all(path: Any) -> List[str]:
    """The paths that are meant: one, or several."""
    return [normal(one) for one in (path if isinstance(path, (list, tuple)) else [path])]


def _known(checksum: Optional[str]) -> None:
    if checksum is not None:
        new_hash(checksum)


def _lifetime(expires: Any, now: Callable[[], float]) -> int:
    """Return the seconds after which a link ends.

    :param now: seconds since the epoch.
    :raises UsageError: not a time, or none that is still to come.
    """
    if isinstance(expires, dt.datetime):
        expires = expires.timestamp() - now()
    if isinstance(expires, dt.timedelta):
        expires = expires.total_seconds()
    seconds = check_seconds(expires, "expires", least=-math.inf)
    if not 0.5 < seconds < math.inf:
        raise UsageError(
            f"the link would end {'never' if seconds > 0 else 'before it began'}",
            hint="expires is seconds from now, a timedelta or a datetime; without it the link does not end",
        )
    return round(seconds)
