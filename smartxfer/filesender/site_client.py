"""A client's relation to its site: address, credentials, limits, the guest's session.

Source: FileSender protocol, sections 1, 4 and 10.
"""

from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence

import requests

from smartxfer.client import HTTPClient
from smartxfer.client_options import CertFiles, ClientOptions, FilePath, Timeout, Verify
from smartxfer.credentials import AddressKind, ServiceNames
from smartxfer.errors import HTTPError, UsageError
from smartxfer.filesender.access import Access
from smartxfer.filesender.auth import Auth, GuestAuth, UserAuth
from smartxfer.filesender.calls import Calls
from smartxfer.filesender.errors import ERRORS
from smartxfer.filesender.guests import GuestsClient
from smartxfer.filesender.models import DownloadFile, Quota, ServerInfo
from smartxfer.filesender.page import parse_guest_page
from smartxfer.filesender.site import (
    SiteConfig,
    ini_values,
    link_base,
    parse_base_url,
    parse_config,
    same_site,
    token_of,
)
from smartxfer.filesender.transfers import TransfersClient
from smartxfer.reprs import with_address
from smartxfer.seams import Clock
from smartxfer.secret_text import hides
from smartxfer.transfer.operation import Operation
from smartxfer.transport import Answer, Call, RetryPolicy, redact
from smartxfer.transport.checks import Check, Decision, RetryContext

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SiteClient"]

#: Bytes of a chunk on a stock site, for one that does not say.
_STOCK_CHUNK = 5_242_880


@hides("link", "proxies", "token", links=("base_url",))
class SiteClient(HTTPClient):
    """What FileSenderClient is made of, but for the calls and workflows."""

    _errors = ERRORS
    names = ServiceNames(
        service="filesender",
        fields={
            "base_url": "FILESENDER_BASE_URL",
            "username": "FILESENDER_USERNAME",
            "api_key": "FILESENDER_API_KEY",
        },
        netrc={"username": "login", "api_key": "password"},
        secrets=frozenset({"api_key"}),
        own_file=ini_values,
        own_place="~/.filesender/filesender.py.ini",
        clean_url=lambda text: parse_base_url(text).base,
    )

    def __init__(
        self,
        base_url: Optional[str],
        chunk_size: Optional[int] = None,
        auth: Auth = Auth(),
        concurrent_files: Optional[int] = 1,
        concurrent_chunks: Optional[int] = 2,
        *,
        signing_host: Optional[str] = None,
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
    ) -> None:
        address = parse_base_url(base_url) if base_url is not None else None
        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        super().__init__(None if address is None else address.base, options)
        self._unused_auth: Optional[UserAuth] = None
        if address is not None and (address.token or address.vid):
            self._address_kind = AddressKind.TOKEN_LINK
            if isinstance(auth, UserAuth):  # a link's sender gets nothing signed with an account's key
                self._unused_auth, auth = auth, Auth()
        if type(auth) is Auth and address is not None and address.vid is not None:
            auth = GuestAuth(address.vid)
        for name, value in (
            ("chunk_size", chunk_size),
            ("concurrent_files", concurrent_files),
            ("concurrent_chunks", concurrent_chunks),
        ):
            if value is not None and value < 1:
                raise UsageError(f"{name} must be at least 1, not {value}")
        #: Bytes per chunk; the site's own figure once :meth:`prepare` has run.
        self.chunk_size = chunk_size
        self.auth = auth
        self.concurrent_files = concurrent_files
        self.concurrent_chunks = concurrent_chunks
        self._signing_host = signing_host
        #: The site's own chunk size, where no other was given.
        self._site_chunk_size: Optional[int] = None
        self._known_calls: Optional[Calls] = None
        transfers = TransfersClient(self._user_calls, self._token_of)
        self._transfers = with_address(transfers, lambda: self._shown_url)
        self._guests = with_address(GuestsClient(self._user_calls), lambda: self._shown_url)
        self._info: Optional[ServerInfo] = None
        self._config: Optional[SiteConfig] = None

    @classmethod
    def from_environment(
        cls,
        *,
        chunk_size: Optional[int] = None,
        auth: Auth = Auth(),
        concurrent_files: Optional[int] = 1,
        concurrent_chunks: Optional[int] = 2,
        signing_host: Optional[str] = None,
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
        """Return a client whose address and credentials are looked up.

        The parameters are those of the class, without ``base_url``.
        """
        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        return cls(
            None, chunk_size, auth, concurrent_files, concurrent_chunks,
            signing_host=signing_host, **options.keywords(),
        )  # fmt: skip

    # -- namespaces, and what the site says ------------------------------------------------------------

    @property
    def transfers(self) -> TransfersClient:
        """The user's transfers: list, find, get, extend, remind, close, delete, their recipients, ..."""
        return self._transfers

    @property
    def guests(self) -> GuestsClient:
        """Vouchers, which invite guests: create, list, get, remind, extend, delete, ..."""
        return self._guests

    def get_server_info(self) -> ServerInfo:
        """Return what the site says of itself (section 4)."""
        return self._calls.info()

    def quota(self) -> Optional[Quota]:
        """Return what the user may store, and stores; None where the site sets no limit."""
        found = self._user_calls().ask("GET", "user/@me/quota").json((dict, type(None)))
        return None if found is None else Quota.from_wire(found)

    # -- getting ready ----------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Read the site's limits, and open the guest's session; done by itself on first use.

        A guest's session that the site has ended is opened anew.

        :raises UsageError: ``chunk_size`` is larger than the site allows.

        Source: FileSender protocol, sections 4 and 10.
        """
        self._prepare(self._calls)

    def _prepare(self, calls: Calls) -> None:
        with self._lock:
            info = calls.info()
            config = parse_config(calls.config_script())
            told = (info.upload_chunk_size, config.upload_chunk_size)
            largest = next((size for size in told if size is not None and size > 0), _STOCK_CHUNK)
            if self.chunk_size is None or self.chunk_size == self._site_chunk_size:
                self.chunk_size = self._site_chunk_size = largest
            elif self.chunk_size > largest:
                raise UsageError(
                    f"chunk_size is {self.chunk_size}, the site takes {largest} bytes at most",
                    hint="leave chunk_size out to use the site's",
                )
            self._config = config
            access = calls.access
            if isinstance(self.auth, GuestAuth) and (access.session_over or self.auth.security_token is None):
                self._open_guest_session(calls, self.auth, anew=access.session_over)
                access.session_over = False
            self._info = info

    @property
    def _largest_chunk(self) -> Optional[int]:
        """The site's own chunk size, which encrypted files are cut by."""
        return None if self._info is None else self._info.upload_chunk_size

    def _ready(self, operation: Optional[Operation] = None) -> None:
        calls = self._calls if operation is None else self._calls.watched(operation)
        if self._info is None or calls.access.session_over:
            self._prepare(calls)

    def _open_guest_session(self, calls: Calls, auth: GuestAuth, anew: bool) -> None:
        answer = calls.guest_page(auth.guest_token)
        auth.security_token = parse_guest_page(answer.page).security_token
        # The first token of several: it stays valid as long as no newer one is used.
        cookies = [value for name, value in answer.cookies if name == "csrfptoken"]
        if anew or auth.csrf_token is None:
            auth.csrf_token = cookies[0] if cookies else None
        for secret in (auth.security_token, auth.csrf_token):
            redact.remember_secret(secret or "")

    @property
    def _calls(self) -> Calls:
        with self._lock:
            if self._known_calls is None:
                self._resolve_auth()
                origin = self._wire.origin
                access = Access(self.auth, origin, self._clock, self._retry, self._signing_host)
                self._known_calls = Calls(self._wire, access, self.base_url)
            return self._known_calls

    def _resolve_auth(self) -> None:
        """Make a UserAuth of what the environment holds, where no auth was given."""
        for name in ("api_key", "guest_token", "security_token", "csrf_token"):
            redact.remember_secret(getattr(self.auth, name, None) or "")
        if type(self.auth) is Auth:
            found = self._credentials
            username, api_key = found.get("username"), found.get("api_key")
            if username and api_key:
                self.auth = UserAuth(username, api_key)

    def _need_auth(self, operation: Optional[Operation] = None) -> None:
        """Have credentials, or say where they were looked for.

        :param operation: watches the requests that this takes.
        """
        if operation is None:
            self._ready()
        else:
            operation.call(lambda: self._ready(operation))
        if type(self.auth) is Auth:
            self._credentials.require("username", "api_key")

    def _user_calls(self) -> Calls:
        """Return the calls once there are credentials of a user or a guest.

        :raises CredentialError: there are none.
        """
        self._need_auth()
        return self._calls

    def _listed(self, token: str, operation: Operation) -> List[DownloadFile]:
        """Return the files that a token leads to, asked for under the watch of an operation."""
        return operation.call(lambda: self._calls.watched(operation).listing(token))

    def _token_of(self, link: Any) -> str:
        """Return the token of a link to this client's own site.

        :raises UsageError: neither a token nor a link, or the link of another site.
        """
        token, base = redact.remember_secret(token_of(link)), link_base(link)
        if base is None or same_site(base, self.base_url):
            return token
        # Behind a tunnel or an alias the site's links have the name that it gives itself.
        own = (self._info or self._calls.info()).url
        if own and same_site(base, parse_base_url(own).base):
            return token
        raise UsageError(
            f"the link belongs to {base}, and this client to {self.base_url}",
            hint=f"use FileSenderClient({base!r})",
        )

    def _given_credentials(self) -> Mapping[str, Optional[str]]:
        given: Dict[str, Optional[str]] = {"base_url": self._given_url}
        user = self.auth if isinstance(self.auth, UserAuth) else self._unused_auth
        if user is not None:
            given.update(username=user.username, api_key=user.api_key)
        return given

    def _error_of(self, answer: Answer, method: str, url: str) -> HTTPError:
        return self._calls.access.error_of(answer, method, url)

    @property
    def _checks(self) -> Sequence[Check]:
        return (self._signs_otherwise,)

    def _signs_otherwise(self, context: RetryContext) -> Decision:
        return self._calls.access.signs_otherwise(context)

    def _call(self, method: str, path: str, params: Mapping[str, Any]) -> Call:
        if method in ("GET", "DELETE"):
            query = [(name, str(value)) for name, value in params.items()]
            return self._calls.describe(method, path, query)
        return self._calls.describe(method, path, body=dict(params))

    def __repr__(self) -> str:
        return f"FileSenderClient({self._shown_url!r}, auth={self.auth!r})"
