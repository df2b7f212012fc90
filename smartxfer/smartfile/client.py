"""The client: raw requests, files, directories, links, tasks.

Source: SmartFile protocol; each method names its section.
"""

import datetime as dt
import math
from typing import TYPE_CHECKING, Any, Callable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import requests

from smartxfer.client import HTTPClient
from smartxfer.errors import HTTPError, UsageError
from smartxfer.os_text import FilePath
from smartxfer.secret_text import hide_method_arguments
from smartxfer.smartfile import download_verbs as down
from smartxfer.smartfile import upload_verbs as up
from smartxfer.smartfile import verbs
from smartxfer.smartfile.auth import Auth
from smartxfer.smartfile.defaults import TASK_TIMEOUT
from smartxfer.transport import RetryPolicy

if TYPE_CHECKING:
    from typing_extensions import Self

    from smartxfer._system import Clock
    from smartxfer.client_options import CertFiles, ClientOptions, Timeout, Verify
    from smartxfer.error_families import ErrorFamily
    from smartxfer.smartfile.api import SmartFileApi
    from smartxfer.smartfile.models import Info, Link, Remote, Remotes, Task
    from smartxfer.transfer.progress import WaitProgress
    from smartxfer.transport import BufferedResponse

__all__ = ["SmartFileClient"]


@hide_method_arguments("password", "proxies")
class SmartFileClient(HTTPClient):
    """Common part of BasicClient and OAuthClient, which differ in their credentials.

    :param url: URL of the API; by default SMARTFILE_API_URL, else the vendor's.
    :param options: the settings of every client.
    :param auth: authentication of the requests.
    :param version: version of the API.
    :param throttle_wait: if False, raise an error for a throttled request instead of waiting.
    """

    def __init__(
        self,
        url: Optional[str],
        options: "ClientOptions",
        auth: Auth,
        *,
        version: str = "2",
        throttle_wait: bool = True,
    ) -> None:
        super().__init__(url, options)
        if not str(version).replace(".", "").isalnum():
            raise UsageError(f"invalid API version: {version!r}", hint='omit version, or pass version="2"')
        self.version = str(version)
        self._auth = auth
        #: If False, an error is raised for a throttled request instead of waiting.
        self.throttle_wait = throttle_wait

    @classmethod
    def from_environment(
        cls,
        *,
        version: str = "2",
        throttle_wait: bool = True,
        timeout: "Timeout" = (15.0, 60.0),
        retry: RetryPolicy = RetryPolicy(),
        session: Optional[requests.Session] = None,
        verify: "Verify" = True,
        cert: "Optional[CertFiles]" = None,
        cert_origins: Sequence[str] = (),
        proxies: Optional[Mapping[str, str]] = None,
        max_workers: int = 4,
        profile: Optional[str] = None,
        netrcfile: Optional[FilePath] = None,
        clock: "Optional[Clock]" = None,
    ) -> "Self":
        """Return a client that searches for its URL and credentials in the environment and in files."""
        from smartxfer.client_options import ClientOptions

        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        return cls(version=version, throttle_wait=throttle_wait, **options.to_kwargs())

    @property
    def url(self) -> str:
        """URL of the API with a slash at its end, as in the vendor's client."""
        return f"{self.base_url}/"

    # -- the methods that all clients share -------------------------------------------------------------

    upload, upload_many, upload_tree = up.upload, up.upload_many, up.upload_tree
    download, download_many, download_tree = down.download, down.download_many, down.download_tree
    list = verbs.list_directory
    info = verbs.info
    exists = verbs.exists
    remove = verbs.remove
    sync = verbs.sync

    # -- reading ----------------------------------------------------------------------------------------

    def stat(self, path: "Remote") -> "Info":
        """Return the Info of a file or directory; alias of :meth:`info`.

        :raises NotFound: the path does not exist.

        Source: SmartFile protocol, sections 3 and 5.
        """
        from smartxfer.smartfile.paths import normalize

        return self._api.stat(normalize(path))

    def listdir(self, path: "Remote" = "/") -> "List[Info]":
        """Return the entries of a directory, in the server's order.

        :raises NotFound: the directory does not exist.

        Source: SmartFile protocol, section 5.
        """
        from smartxfer.smartfile.paths import normalize

        return list(self._api.iter_directory(normalize(path)))

    def walk(self, path: "Remote" = "/") -> "Iterator[Tuple[str, List[Info], List[Info]]]":
        """Yield (path, directories, files) of a directory and its subdirectories, like ``os.walk``."""
        from smartxfer.smartfile import trees
        from smartxfer.smartfile.paths import normalize

        return trees.walk(self._api, normalize(path))

    def checksum(
        self,
        path: "Remotes",
        algorithm: str = "MD5",
        *,
        timeout: float = TASK_TIMEOUT,
        progress: "WaitProgress[Task]" = None,
    ) -> Any:
        """Return the hex digest of a file, computed by the server; for a list of files, a dict by path.

        :param algorithm: ``MD5``, ``SHA1``, ``SHA256``, ``SHA512`` or ``CRC-32``, in any case.
        :param timeout: seconds to wait for the server.
        :param progress: as in :meth:`wait`.
        :raises TaskFailed: the server could not compute the digest of at least one file.

        Source: SmartFile protocol, section 5.
        """
        from smartxfer.smartfile.paths import normalize_all

        several = isinstance(path, (list, tuple))
        paths = normalize_all(path)
        with verbs.make_task_reporter(progress) as report:
            digests = self._api.get_checksums(paths, algorithm, timeout, report)
        return digests if several else digests[paths[0]]

    # -- changing ---------------------------------------------------------------------------------------

    def mkdir(self, path: "Remote") -> "Info":
        """Create a directory (section 5)."""
        from smartxfer.smartfile.paths import normalize

        return self._api.mkdir(normalize(path))

    def rename(self, src: "Remote", dst: str) -> "Info":
        """Rename a file or directory, without a task on the server (section 5).

        :param dst: the new full path.
        :raises Conflict: the new path exists.
        """
        from smartxfer.smartfile.paths import normalize

        return self._api.rename(normalize(src), normalize(dst))

    def copy(
        self,
        src: "Remotes",
        dst: "Remote",
        *,
        timeout: float = TASK_TIMEOUT,
        progress: "WaitProgress[Task]" = None,
    ) -> "Task":
        """Copy files or directories into a directory, and wait for the task (section 5).

        :param dst: a directory.
        :param timeout: seconds to wait for the server.
        :param progress: as in :meth:`wait`.
        :raises TaskFailed: some paths could not be copied.
        """
        from smartxfer.smartfile.paths import normalize, normalize_all

        return verbs.run_task(self, "copy", timeout, progress, src=normalize_all(src), dst=normalize(dst))

    def move(
        self,
        src: "Remotes",
        dst: str,
        *,
        timeout: float = TASK_TIMEOUT,
        progress: "WaitProgress[Task]" = None,
    ) -> "Task":
        """Move files or directories, and wait for the task (section 5).

        :param dst: the new full path, or a directory to move into, with a slash at its end.
        :param timeout: seconds to wait for the server.
        :param progress: as in :meth:`wait`.
        :raises TaskFailed: some paths could not be moved.
        :raises Conflict: the new path exists; some servers report this for a directory, and require the new
            full path.
        """
        from smartxfer.smartfile.paths import normalize, normalize_all

        slash = "/" if str(dst).endswith("/") and normalize(dst) != "/" else ""
        return verbs.run_task(
            self, "move", timeout, progress, src=normalize_all(src), dst=normalize(dst) + slash
        )

    def move_into(
        self,
        src: "Remote",
        directory: "Remote",
        *,
        timeout: float = TASK_TIMEOUT,
        progress: "WaitProgress[Task]" = None,
    ) -> "Task":
        """Move a file or directory into a directory; works on every server, as the new full path is sent."""
        from smartxfer.smartfile.paths import join, normalize, split

        target = join(normalize(directory), split(normalize(src))[1])
        return self.move(src, target, timeout=timeout, progress=progress)

    def wait(
        self,
        task: Any,
        timeout: float = TASK_TIMEOUT,
        *,
        progress: "WaitProgress[Task]" = None,
    ) -> "Task":
        """Poll a task, with growing intervals, until it is done.

        :param task: a Task, or its uuid.
        :param timeout: seconds.
        :param progress: None, True for a status line, a label for it, or a callable that receives each state.
        :return: the final state of the task; its result is ``.output``.
        :raises TaskFailed: the task failed, completely or for some paths.
        :raises WaitTimeout: the task is not done yet; the server continues it.  ``.last`` is its state.

        Source: SmartFile protocol, section 5, Tasks.
        """
        with verbs.make_task_reporter(progress) as report:
            return self._api.wait_for_task(task, timeout, report)

    # -- links ------------------------------------------------------------------------------------------

    def create_link(
        self,
        path: "Remote",
        *,
        name: Optional[str] = None,
        password: Optional[str] = None,
        expires: Union[float, dt.timedelta, dt.datetime, None] = None,
        read: Optional[bool] = None,
        list: Optional[bool] = None,  # noqa: A002 - the API's name
        recursive: Optional[bool] = None,
        cache: Any = None,
        usage_limit: Optional[int] = None,
        extra: Optional[Mapping[str, Any]] = None,
    ) -> "Link":
        """Create a public link to a file or directory; share its ``.href``.

        :param password: password that users of the link must enter.
        :param expires: end of its validity: seconds from now, a timedelta, or a datetime.
        :param read: allow downloads of files.
        :param list: allow listings of directories.
        :param recursive: include subdirectories.
        :param cache: passed to the API unchanged.
        :param usage_limit: number of times that the link can be used.
        :param extra: further fields of the API.
        :raises OutcomeUnknown: the response was lost; the link may exist, see :meth:`links`.

        The vendor does not document the fields for password and expiry: ``password``, and ``expires`` in
        seconds from now, are assumptions.  Source: SmartFile protocol, section 5.
        """
        from smartxfer.smartfile.paths import normalize
        from smartxfer.validation import merge_extra

        seconds = None if expires is None else _link_lifetime_seconds(expires, self._clock.time)
        fields = {"path": normalize(path), "name": name, "password": password, "expires": seconds}
        limits = {"read": read, "list": list, "recursive": recursive, "cache": cache}
        limits["usage_limit"] = usage_limit
        set_limits = {field: value for field, value in limits.items() if value is not None}
        return self._api.create_link(merge_extra({**fields, **set_limits}, extra, limits))

    def links(self) -> "List[Link]":
        """Return all links of the account (section 5)."""
        return self._api.list_links()

    def delete_link(self, link: "Union[Link, str]") -> None:
        """Delete a link; one that does not exist any more is not an error (section 5).

        :param link: a Link, or its uid.
        """
        from smartxfer.smartfile.paths import as_path_text

        self._api.delete_link(as_path_text(link, hint="pass a Link from links(), or its uid"))

    # -- requests ---------------------------------------------------------------------------------------

    @property
    def _api(self) -> "SmartFileApi":
        from smartxfer.smartfile.api import SmartFileApi

        return SmartFileApi(self._http, f"{self.base_url}/api/{self.version}", self._sign_request)

    def _request(self, method: str, endpoint: str, id: Any, params: Mapping[str, Any]) -> Any:
        from smartxfer.smartfile.paths import build_api_path
        from smartxfer.smartfile.raw_requests import build_raw_request, find_embedded_error
        from smartxfer.transport import strip_query

        path = build_api_path(endpoint, getattr(id, "_api_id", id))
        with build_raw_request(self._api, method, path, params) as request:
            body = self._http.request_json_or_stream(request)
            error = find_embedded_error(body, request)
            if error is not None:
                raise self._build_error(error, request.method, strip_query(request.url))
            return body

    def _sign_request(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return self._auth.sign(request, self._credentials)

    @property
    def _account_id(self) -> str:
        return self._auth.get_account_id(self._credentials)

    def _credential_args(self) -> Mapping[str, Optional[str]]:
        return {"base_url": self._base_url_arg, **self._auth.explicit_credentials}

    @property
    def _error_family(self) -> "ErrorFamily":
        from smartxfer.smartfile.errors import ERRORS

        return ERRORS

    def _build_error(self, response: "BufferedResponse", method: str, url: str) -> HTTPError:
        from smartxfer.smartfile.errors import build_error

        return build_error(
            response,
            method,
            url,
            policy=self._retry,
            clock=self._clock,
            throttle_wait=self.throttle_wait,
        )


def _link_lifetime_seconds(expires: Any, now: Callable[[], float]) -> int:
    """Return the seconds after which a link expires.

    :param now: returns the seconds since the epoch.
    :raises UsageError: the value is not a time, or not in the future.
    """
    from smartxfer.validation import validate_seconds

    if isinstance(expires, dt.datetime):
        expires = expires.timestamp() - now()
    if isinstance(expires, dt.timedelta):
        expires = expires.total_seconds()
    seconds = validate_seconds(expires, "expires", minimum=-math.inf)
    if not 0.5 < seconds < math.inf:
        raise UsageError(
            f"expires must be {'finite' if seconds > 0 else 'in the future'}",
            hint="pass seconds from now, a timedelta or a datetime, or omit expires for a permanent link",
        )
    return round(seconds)
