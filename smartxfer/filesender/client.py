"""The FileSender client.  Source: FileSender protocol."""

import functools
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Sequence

import requests

from smartxfer.client import HTTPClient
from smartxfer.errors import HTTPError, UsageError
from smartxfer.filesender import download_methods, upload_methods, verbs
from smartxfer.filesender import download_verbs as down
from smartxfer.filesender import upload_verbs as up
from smartxfer.filesender.auth import Auth, GuestAuth, UserAuth
from smartxfer.filesender.credential_spec import CREDENTIAL_SPEC
from smartxfer.os_text import FilePath
from smartxfer.reprs import set_address
from smartxfer.secret_text import hide_method_arguments
from smartxfer.transport import RetryPolicy

if TYPE_CHECKING:
    from typing_extensions import Self

    from smartxfer._system import Clock
    from smartxfer.client_options import CertFiles, Timeout, Verify
    from smartxfer.error_families import ErrorFamily
    from smartxfer.filesender.client_setup import SiteSettings
    from smartxfer.filesender.guests import GuestsClient
    from smartxfer.filesender.models import File, Quota, ServerInfo, Transfer
    from smartxfer.filesender.request_body import Extra
    from smartxfer.filesender.request_types import FileUpdate
    from smartxfer.filesender.request_types import Transfer as TransferRequest
    from smartxfer.filesender.rest_api import FileSenderApi
    from smartxfer.filesender.transfers import TransfersClient
    from smartxfer.filesender.upload import Concurrency
    from smartxfer.transfer.runner import TransferRunner
    from smartxfer.transport import BufferedResponse, RequestSpec
    from smartxfer.transport.retry_checks import RetryContext, RetryDecision, RetryRule

__all__ = ["FileSenderClient"]


@hide_method_arguments("link", "password", "proxies", "token", links=("base_url",))
class FileSenderClient(HTTPClient):
    """Client that sends and downloads files through a FileSender site.

    :param base_url: address of the site or of one of its pages, also a download or voucher link; None looks
        it up (FILESENDER_BASE_URL, ``~/.filesender/filesender.py.ini``, a profile).
    :param chunk_size: bytes per chunk; None for the largest that the site allows.
    :param auth: :class:`UserAuth`, :class:`GuestAuth`, or :class:`Auth` to look up a user's credentials
        (FILESENDER_USERNAME, FILESENDER_API_KEY, ...) when a request needs them.  With a download or voucher
        link as ``base_url`` no account is used, because the link contains a token.
    :param concurrent_files: concurrent uploads or downloads; None for all files, at most 16.
    :param concurrent_chunks: concurrent chunks per file; None for one worker per chunk, at most 16.
    :param signing_host: host name that the server uses to verify signatures, if it is not the URL's host.

    All clients have the other parameters: :class:`~smartxfer.client_options.ClientOptions`.

    >>> with FileSenderClient.from_environment() as client:
    ...     transfer = client.upload_workflow(["report.pdf"], link=True)
    ...     for result in client.download_files(transfer.download_url, "copies"):
    ...         print(result.name, result.bytes, result.verified)
    report.pdf 14 size

    Source: FileSender protocol.
    """

    credential_spec = CREDENTIAL_SPEC

    def __init__(
        self,
        base_url: Optional[str],
        chunk_size: Optional[int] = None,
        auth: Auth = Auth(),
        concurrent_files: Optional[int] = 1,
        concurrent_chunks: Optional[int] = 2,
        *,
        signing_host: Optional[str] = None,
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
    ) -> None:
        from smartxfer.client_options import ClientOptions
        from smartxfer.credentials import BaseURLKind
        from smartxfer.filesender.guests import GuestsClient
        from smartxfer.filesender.site_address import parse_site_url
        from smartxfer.filesender.transfers import TransfersClient

        address = parse_site_url(base_url) if base_url is not None else None
        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        super().__init__(None if address is None else address.base_url, options)
        self._unused_auth: Optional[UserAuth] = None
        if address is not None and (address.token or address.guest_token):
            self._base_url_kind = BaseURLKind.TOKEN_LINK
            if isinstance(auth, UserAuth):  # never sign requests for a pasted link with an account's key
                self._unused_auth, auth = auth, Auth()
        if type(auth) is Auth and address is not None and address.guest_token is not None:
            auth = GuestAuth(address.guest_token)
        for name, value in (
            ("chunk_size", chunk_size),
            ("concurrent_files", concurrent_files),
            ("concurrent_chunks", concurrent_chunks),
        ):
            if value is not None and value < 1:
                raise UsageError(f"{name} must be at least 1, not {value}", hint=f"pass {name}=1 or more")
        #: Bytes per chunk; :meth:`prepare` replaces None by the site's chunk size.
        self.chunk_size = chunk_size
        self.auth = auth
        self.concurrent_files = concurrent_files
        self.concurrent_chunks = concurrent_chunks
        self._signing_host = signing_host
        #: The site's chunk size, if none was given.
        self._site_chunk_size: Optional[int] = None
        self._api_cached: Optional[FileSenderApi] = None
        transfers = TransfersClient(self._authenticated_api, self._extract_token)
        self._transfers = set_address(transfers, lambda: self._display_url)
        self._guests = set_address(GuestsClient(self._authenticated_api), lambda: self._display_url)
        #: None before :meth:`prepare`.
        self._site_settings: Optional[SiteSettings] = None

    @classmethod
    def from_environment(
        cls,
        *,
        chunk_size: Optional[int] = None,
        auth: Auth = Auth(),
        concurrent_files: Optional[int] = 1,
        concurrent_chunks: Optional[int] = 2,
        signing_host: Optional[str] = None,
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
        """Return a client whose address and credentials are looked up.

        The parameters are those of the class, without ``base_url``.
        """
        from smartxfer.client_options import ClientOptions

        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        return cls(
            None, chunk_size, auth, concurrent_files, concurrent_chunks,
            signing_host=signing_host, **options.to_kwargs(),
        )  # fmt: skip

    # -- methods that all clients have ------------------------------------------------------------------

    upload, upload_many, upload_tree = up.upload, up.upload_many, up.upload_tree
    download, download_many, download_tree = down.download, down.download_many, down.download_tree
    list, info, exists, remove = verbs.list_files, verbs.info, verbs.exists, verbs.remove

    # -- uploads and downloads of transfers -------------------------------------------------------------

    upload_workflow = upload_methods.upload_workflow
    upload_file = upload_methods.upload_file
    upload_complete = upload_methods.upload_complete
    list_files = download_methods.list_files
    download_files = download_methods.download_files
    download_file = download_methods.download_file
    download_archive = download_methods.download_archive

    # -- namespaces, and aliases of their methods -------------------------------------------------------

    @property
    def transfers(self) -> "TransfersClient":
        """Methods for the user's transfers and their recipients: list, find, get, extend, delete, ..."""
        return self._transfers

    @property
    def guests(self) -> "GuestsClient":
        """Methods for vouchers, which invite guests: create, list, get, remind, extend, delete, ..."""
        return self._guests

    update_transfer = verbs.update_transfer
    create_guest = verbs.create_guest

    # -- single requests --------------------------------------------------------------------------------

    def get_server_info(self) -> "ServerInfo":
        """Return the site's name, URLs and chunk size (section 4)."""
        return self._api.get_server_info()

    def quota(self) -> "Optional[Quota]":
        """Return the user's storage quota and usage; None if the site sets no limit."""
        from smartxfer.filesender.models import Quota

        body = self._authenticated_api().send_signed("GET", "user/@me/quota").json((dict, type(None)))
        return None if body is None else Quota.from_wire(body)

    def create_transfer(self, body: "TransferRequest", *, extra: "Extra" = None) -> "Transfer":
        """Create a transfer without sending its files; :meth:`upload_workflow` does everything.

        The body is checked against the site's limits before anything is created.

        :param body: ``files`` (each with ``name`` and ``size`` in bytes), ``recipients``, ``options``, ...
        :param extra: request fields that this version does not support.
        :raises UsageError: the body is invalid; nothing was created.
        :raises UploadRejected: the transfer has neither recipients nor a link; it was deleted.
        :raises OutcomeUnknown: the response was lost: an empty transfer may exist, which the site removes.

        Source: FileSender protocol, section 6.1.
        """
        from smartxfer.filesender import validation
        from smartxfer.filesender.creation import create_transfer
        from smartxfer.filesender.request_body import build_raw_transfer_body

        site = self._ensure_prepared()
        request_body = build_raw_transfer_body(body, isinstance(self.auth, GuestAuth), extra)
        validation.validate_transfer(request_body, site.config, now=self._clock.time())
        return create_transfer(self._api, request_body)

    def update_file(self, file_info: "File", body: "FileUpdate", *, extra: "Extra" = None) -> None:
        """Change a file, for example with ``{"complete": True}`` (section 6.3).

        :param file_info: one of the ``files`` of a created transfer.
        :param extra: request fields that this version does not support.
        :raises UsageError: ``body`` is empty or has an unknown key.
        """
        from smartxfer.filesender.models import File
        from smartxfer.filesender.request_body import build_update_body
        from smartxfer.filesender.request_types import FileUpdate

        change = build_update_body(body, FileUpdate, extra)
        self._authenticated_api().update_file(File.from_wire(file_info), change)

    def prepare(self) -> None:
        """Load the site's limits and start the guest's session; called automatically on first use.

        If the guest's session has expired, a new one is started.

        :raises UsageError: ``chunk_size`` is larger than the site allows.

        Source: FileSender protocol, sections 4 and 10.
        """
        self._load_site_settings(reload=True)

    # -- internal ---------------------------------------------------------------------------------------

    @property
    def _error_family(self) -> "ErrorFamily":
        from smartxfer.filesender.errors import ERRORS

        return ERRORS

    @property
    def _api(self) -> "FileSenderApi":
        from smartxfer.filesender.request_signer import RequestSigner
        from smartxfer.filesender.rest_api import FileSenderApi

        with self._lazy_init_lock:
            if self._api_cached is None:
                self._resolve_auth()
                origin = self._http.origin
                signer = RequestSigner(self.auth, origin, self._clock, self._retry, self._signing_host)
                self._api_cached = FileSenderApi(self._http, signer, self.base_url)
            return self._api_cached

    def _resolve_auth(self) -> None:
        """Set ``auth`` to the user whose credentials are configured, unless another auth was given."""
        from smartxfer.transport import redaction

        for name in ("api_key", "guest_token", "security_token", "csrf_token"):
            redaction.register_secret(getattr(self.auth, name, None) or "")
        if type(self.auth) is Auth:
            username, api_key = self._credentials.get("username"), self._credentials.get("api_key")
            if username and api_key:
                self.auth = UserAuth(username, api_key)

    def _authenticated_api(self) -> "FileSenderApi":
        """Return the API after checking that there are credentials of a user or a guest.

        :raises CredentialError: no credentials were found.
        """
        self._ensure_prepared()
        return self._api

    def _ensure_prepared(self, runner: "Optional[TransferRunner]" = None) -> "SiteSettings":
        """Load the site's limits and check that there are credentials of a user or a guest.

        :param runner: sends the requests, so that its cancellation and deadline apply to them.
        :raises CredentialError: no credentials were found; the error lists the searched sources.
        """
        from smartxfer.filesender import client_setup  # noqa: F401 - loaded in the caller's thread

        if runner is None:
            site = self._load_site_settings()
        else:
            site = runner.run_one(functools.partial(self._load_site_settings, runner))
        if type(self.auth) is Auth:
            self._credentials.require("username", "api_key")
        return site

    def _load_site_settings(
        self, runner: "Optional[TransferRunner]" = None, reload: bool = False
    ) -> "SiteSettings":
        """Return the site's settings, requested only once, and start the session of a guest."""
        from smartxfer.filesender.client_setup import SiteSettings, open_guest_session
        from smartxfer.filesender.site_address import parse_config

        api = self._api if runner is None else self._api.with_runner(runner)
        if self._site_settings is not None and not reload and not api.signer.session_expired:
            return self._site_settings
        with self._lazy_init_lock:
            site = SiteSettings(api.get_server_info(), parse_config(api.get_config_script()))
            if self.chunk_size is None or self.chunk_size == self._site_chunk_size:
                self.chunk_size = self._site_chunk_size = site.max_chunk_size
            elif self.chunk_size > site.max_chunk_size:
                raise UsageError(
                    f"chunk_size={self.chunk_size} is too large: the site allows {site.max_chunk_size} bytes",
                    hint="leave out chunk_size to use the site's chunk size",
                )
            open_guest_session(api)
            self._site_settings = site
            return site

    @property
    def _concurrency(self) -> "Concurrency":
        from smartxfer.filesender.upload import MAX_WORKERS, Concurrency

        files = self.concurrent_files or MAX_WORKERS
        return Concurrency(files, self.concurrent_chunks or MAX_WORKERS, self.chunk_size or 1)

    @property
    def _max_threads(self) -> int:
        return self._thread_count(self._concurrency.files)

    def _thread_count(self, files: int) -> int:
        from smartxfer.filesender.upload import MAX_WORKERS

        return max(self._max_workers, min(files * self._concurrency.chunks, 4 * MAX_WORKERS))

    def _extract_token(self, link: Any) -> str:
        """Return the token of a link to this client's site.

        :raises UsageError: ``link`` is not a token or link, or it belongs to another site.
        """
        from smartxfer.filesender import site_address
        from smartxfer.transport import redaction

        token = redaction.register_secret(site_address.extract_token(link))
        link_base = site_address.get_link_base_url(link)
        if link_base is None or site_address.is_same_site(link_base, self.base_url):
            return token
        # If the client uses a tunnel or an alias, the site's links have the URL that the site reports.
        info = self._api.get_server_info() if self._site_settings is None else self._site_settings.info
        if info.url and site_address.is_same_site(link_base, site_address.parse_site_url(info.url).base_url):
            return token
        raise UsageError(
            f"the link belongs to {link_base}, but this client is for {self.base_url}",
            hint=f"use FileSenderClient({link_base!r})",
        )

    def _credential_args(self) -> Mapping[str, Optional[str]]:
        args: Dict[str, Optional[str]] = {"base_url": self._base_url_arg}
        user = self.auth if isinstance(self.auth, UserAuth) else self._unused_auth
        if user is not None:
            args.update(username=user.username, api_key=user.api_key)
        return args

    def _build_error(self, response: "BufferedResponse", method: str, url: str) -> HTTPError:
        return self._api.signer.build_error(response, method, url)

    @property
    def _retry_rules(self) -> "Sequence[RetryRule]":
        return (self._retry_with_other_signature,)

    def _retry_with_other_signature(self, context: "RetryContext") -> "RetryDecision":
        return self._api.signer.retry_with_other_signature(context)

    def _build_request(self, method: str, path: str, params: Mapping[str, Any]) -> "RequestSpec":
        if method in ("GET", "DELETE"):
            query = [(name, str(value)) for name, value in params.items()]
            return self._api.build_request(method, path, query, success=None)
        return self._api.build_request(method, path, body=dict(params), success=None)

    def __repr__(self) -> str:
        return f"FileSenderClient({self._display_url!r}, auth={self.auth!r})"
