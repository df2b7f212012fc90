"""The client: raw calls, files, directories, links, tasks.

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
    """Sends files to SmartFile and fetches them; BasicClient and OAuthClient say by which credentials.

    :param url: address of the API; by default SMARTFILE_API_URL, else the vendor's.
    :param options: the settings that every client takes.
    :param auth: signs the requests.
    :param version: of the API.
    :param throttle_wait: False raises at once where the API asks to come back later.
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
            raise UsageError(f"{version!r} is an invalid version of the API", hint='leave it out, or say "2"')
        self.version = str(version)
        self._auth = auth
        #: False raises at once where the API asks to come back later.
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
        """Return a client whose address and credentials are looked up."""
        from smartxfer.client_options import ClientOptions

        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        return cls(version=version, throttle_wait=throttle_wait, **options.to_kwargs())

    @property
    def url(self) -> str:
        """Address of the API with a slash at its end, as the vendor's client has it."""
        return f"{self.base_url}/"

    # -- the verbs that all clients share ---------------------------------------------------------------

    upload, upload_many, upload_tree = up.upload, up.upload_many, up.upload_tree
    download, download_many, download_tree = down.download, down.download_many, down.download_tree
    list = verbs.list_directory
    info = verbs.info
    exists = verbs.exists
    remove = verbs.remove
    sync = verbs.sync

    # -- looking ----------------------------------------------------------------------------------------

    def stat(self, path: "Remote") -> "Info":
        """What the server knows of a file or directory; another name of :meth:`info`.

        :raises NotFound: there is none.

        Source: SmartFile protocol, sections 3 and 5.
        """
        from smartxfer.smartfile.paths import normalize

        return self._api.stat(normalize(path))

    def listdir(self, path: "Remote" = "/") -> "List[Info]":
        """What is in a directory, all pages of it, in the server's order.

        :raises NotFound: there is no such directory.

        Source: SmartFile protocol, section 5.
        """
        from smartxfer.smartfile.paths import normalize

        return list(self._api.iter_directory(normalize(path)))

    def walk(self, path: "Remote" = "/") -> "Iterator[Tuple[str, List[Info], List[Info]]]":
        """A directory and all below it, as ``os.walk`` does: (path, directories, files), parents first."""
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
        """The hex digest of a file, reckoned by the server; of several, a dict by path.

        :param algorithm: ``MD5``, ``SHA1``, ``SHA256``, ``SHA512`` or ``CRC-32``, in any case.
        :param timeout: seconds to wait for the server.
        :param progress: as in :meth:`wait`.
        :raises TaskFailed: the server could not, for one of them at least.

        Source: SmartFile protocol, section 5.
        """
        from smartxfer.smartfile.paths import normalize_all

        several = isinstance(path, (list, tuple))
        paths = normalize_all(path)
        with verbs.make_task_reporter(progress) as seen:
            found = self._api.get_checksums(paths, algorithm, timeout, seen)
        return found if several else found[paths[0]]

    # -- changing ---------------------------------------------------------------------------------------

    def mkdir(self, path: "Remote") -> "Info":
        """Make a directory (section 5)."""
        from smartxfer.smartfile.paths import normalize

        return self._api.mkdir(normalize(path))

    def rename(self, src: "Remote", dst: str) -> "Info":
        """Give a file or directory another path, at once (section 5).

        :param dst: the new path in full.
        :raises Conflict: there is something of that path.
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
        """Copy files or directories into a directory, and wait until it is done (section 5).

        :param dst: a directory.
        :param timeout: seconds.
        :param progress: as in :meth:`wait`.
        :raises TaskFailed: some could not be copied.
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
        """Move files or directories, and wait until it is done (section 5).

        :param dst: the new path in full, or a directory to move into; then end it with a slash.
        :param timeout: seconds.
        :param progress: as in :meth:`wait`.
        :raises TaskFailed: some could not be moved.
        :raises Conflict: there is something of that path: some servers want the new path in full.
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
        """Move one file or directory into a directory, on every server: the new path is sent in full."""
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
        """Ask after a task, less and less often, until the server is through with it.

        :param task: what a long operation answered, or its uuid.
        :param timeout: seconds.
        :param progress: None, True for a line, a label for it, or a callable that takes each state.
        :return: the task as it ended; what it left behind is in ``.outcome``.
        :raises TaskFailed: it failed, or succeeded but for some paths.
        :raises WaitTimeout: it is not done yet, and goes on; ``.last`` is its state.

        Source: SmartFile protocol, section 5, Tasks.
        """
        with verbs.make_task_reporter(progress) as seen:
            return self._api.wait_for_task(task, timeout, seen)

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
        """Make a link by which anybody can fetch a file, or look into a directory; ``.href`` is to pass on.

        :param password: what is asked of whoever follows it.
        :param expires: when it ends: seconds from now, a timedelta, or a datetime.
        :param read: whether files may be fetched; ``list``, directories be looked into; ``recursive``, those
            below too.
        :param cache: as the API takes it.
        :param usage_limit: how often it may be used.
        :param extra: fields of the API that this version does not know.
        :raises OutcomeUnknown: the answer was lost: the link may exist, see :meth:`links`.

        The vendor does not publish the fields for password and expiry: ``password``, and ``expires`` in
        seconds from now, are assumptions.  Source: SmartFile protocol, section 5.
        """
        from smartxfer.smartfile.paths import normalize
        from smartxfer.validation import merge_extra

        seconds = None if expires is None else _link_lifetime_seconds(expires, self._clock.time)
        known = {"path": normalize(path), "name": name, "password": password, "expires": seconds}
        limits = {"read": read, "list": list, "recursive": recursive, "cache": cache}
        limits["usage_limit"] = usage_limit
        given = {field: value for field, value in limits.items() if value is not None}
        return self._api.create_link(merge_extra({**known, **given}, extra, limits))

    def links(self) -> "List[Link]":
        """Every link of the account (section 5)."""
        return self._api.list_links()

    def delete_link(self, link: "Union[Link, str]") -> None:
        """Remove a link; one that is gone already is no error (section 5).

        :param link: the structure, or its uid.
        """
        from smartxfer.smartfile.paths import as_path_text

        self._api.delete_link(as_path_text(link, hint="delete_link(link), with one of links() or its uid"))

    # -- the way to the server --------------------------------------------------------------------------

    @property
    def _api(self) -> "SmartFileApi":
        from smartxfer.smartfile.api import SmartFileApi

        return SmartFileApi(self._http, f"{self.base_url}/api/{self.version}", self._sign_request)

    def _request(self, method: str, endpoint: str, id: Any, params: Mapping[str, Any]) -> Any:
        from smartxfer.smartfile.paths import build_api_path
        from smartxfer.smartfile.raw_requests import build_raw_request, find_embedded_error
        from smartxfer.transport import strip_query

        path = build_api_path(endpoint, getattr(id, "key", id))
        with build_raw_request(self._api, method, path, params) as call:
            found = self._http.request_json_or_stream(call)
            refusal = find_embedded_error(found, call)
            if refusal is not None:
                raise self._build_error(refusal, call.method, strip_query(call.url))
            return found

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
    """Return the seconds after which a link ends.

    :param now: seconds since the epoch.
    :raises UsageError: not a time, or none that is still to come.
    """
    from smartxfer.validation import validate_seconds

    if isinstance(expires, dt.datetime):
        expires = expires.timestamp() - now()
    if isinstance(expires, dt.timedelta):
        expires = expires.total_seconds()
    seconds = validate_seconds(expires, "expires", minimum=-math.inf)
    if not 0.5 < seconds < math.inf:
        raise UsageError(
            f"the link would end {'never' if seconds > 0 else 'before it began'}",
            hint="expires is seconds from now, a timedelta or a datetime; without it the link does not end",
        )
    return round(seconds)
