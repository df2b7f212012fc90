"""Base classes of the five clients: base URL, session, credentials, transfers, and raw HTTP calls."""

import math
import threading
from typing import TYPE_CHECKING, Any, List, Mapping, Optional, Sequence, Tuple

import requests

from smartxfer import __version__
from smartxfer.credentials import CredentialSpec
from smartxfer.errors import HTTPError, UsageError
from smartxfer.os_text import FilePath
from smartxfer.secret_text import wrap_secrets
from smartxfer.transport import RetryPolicy

if TYPE_CHECKING:
    from typing_extensions import Self

    from smartxfer._system import Clock
    from smartxfer.client_options import CertFiles, ClientOptions, Timeout, Verify
    from smartxfer.credentials import BaseURLKind, Credentials
    from smartxfer.error_families import ErrorFamily
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transfer.runner import TransferRunner
    from smartxfer.transport import BufferedResponse, HTTPTransport, RequestSpec
    from smartxfer.transport.retry_checks import RetryRule

__all__ = ["BaseClient", "HTTPClient"]


class BaseClient:
    """A blocking client with one shared session, closed by ``with`` or :meth:`close`.

    Threads may share a client.  No request is sent before the first call, and missing credentials are an
    error only if a request needs them.

    :param base_url: URL of the service.
    :param options: the settings that every client accepts.
    """

    #: Names of the service's credentials in every source.
    credential_spec: CredentialSpec
    #: Origin of the base URL that was passed; None: the program.
    _base_url_kind: "Optional[BaseURLKind]" = None

    def __init__(self, base_url: Optional[str], options: "ClientOptions") -> None:
        from smartxfer._system import SYSTEM_CLOCK
        from smartxfer.credentials import resolve_credentials
        from smartxfer.transport import redaction
        from smartxfer.transport.rate_limits import RateLimits

        self._base_url_arg = base_url
        self._options = options
        self._timeout = options.timeout
        self._retry = options.retry
        self._max_workers = options.max_workers
        self._clock = SYSTEM_CLOCK if options.clock is None else options.clock
        self._http_cached: Optional[HTTPTransport] = None
        self._credentials_cached: Optional[Credentials] = None
        self._resolve_credentials = resolve_credentials
        self._rate_limits = RateLimits(self._retry, self._clock)
        self._lazy_init_lock = threading.RLock()
        redaction.install_filters()

    @classmethod
    def from_environment(
        cls,
        *,
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
        """Return a client that looks up its base URL and credentials.

        The sources are environment variables, the service's own file, a profile, netrc, and the keyring.  The
        parameters are those of the class.
        """
        from smartxfer.client_options import ClientOptions

        proxies = wrap_secrets(proxies)
        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        return cls(**options.to_kwargs())

    # -- the connection ---------------------------------------------------------------------------------

    @property
    def _error_family(self) -> "ErrorFamily":
        """The error classes of the service."""
        from smartxfer.error_families import GENERIC_ERRORS

        return GENERIC_ERRORS

    @property
    def base_url(self) -> str:
        """URL of the service, without a trailing slash.

        :raises CredentialError: no source contains it.
        """
        if self._base_url_arg is None:
            self._base_url_arg = self._credentials.require("base_url")["base_url"]
        return self._base_url_arg.rstrip("/")

    @property
    def _http(self) -> "HTTPTransport":
        if self._http_cached is None:
            from smartxfer.transport import HTTPTransport, Origin

            with self._lazy_init_lock:
                if self._http_cached is None:
                    self._http_cached = HTTPTransport(
                        Origin.parse(self.base_url),
                        build_error=self._build_error,
                        error_family=self._error_family,
                        retry_rules=self._retry_rules,
                        user_agent=f"smartxfer/{__version__} {requests.utils.default_user_agent()}",
                        policy=self._retry,
                        timeout=self._timeout,
                        clock=self._clock,
                        rate_limits=self._rate_limits,
                        pool_size=max(16, self._max_workers),
                        session=self._options.session,
                        verify=self._options.verify,
                        cert=self._options.cert,
                        cert_origins=self._options.cert_origins,
                        proxies=self._options.proxies,
                    )
        return self._http_cached

    @property
    def session(self) -> requests.Session:
        """The requests Session, which all threads share."""
        return self._http.session

    def _build_error(self, response: "BufferedResponse", method: str, url: str) -> HTTPError:
        """Return the exception for a response with status 400 or more."""
        from smartxfer.transport.http_errors import build_http_error

        return build_http_error(response, method, url, policy=self._retry, clock=self._clock)

    @property
    def _retry_rules(self) -> "Sequence[RetryRule]":
        """Retry rules that are specific to the service."""
        return ()

    # -- credentials ------------------------------------------------------------------------------------

    @property
    def _credentials(self) -> "Credentials":
        with self._lazy_init_lock:
            if self._credentials_cached is None:
                from smartxfer.credentials import BaseURLKind

                self._credentials_cached = self._resolve_credentials(
                    self.credential_spec,
                    self._credential_args(),
                    profile=self._options.profile,
                    netrcfile=self._options.netrcfile,
                    base_url_kind=self._base_url_kind or BaseURLKind.EXPLICIT,
                    error_family=self._error_family,
                )
            return self._credentials_cached

    def _credential_args(self) -> Mapping[str, Optional[str]]:
        """Return the credentials that were passed as arguments."""
        return {"base_url": self._base_url_arg}

    def explain_credentials(self) -> List[Tuple[str, str, str]]:
        """Return (name, masked value, source) of each value.

        The source includes the origin that the value is for, and why other values are not used.
        """
        return self._credentials.explain()

    # -- transfers --------------------------------------------------------------------------------------

    @property
    def _max_threads(self) -> int:
        """Maximum number of threads of one call."""
        return self._max_workers

    def _new_runner(
        self,
        progress: "Progress",
        cancel: "Optional[Cancel]",
        deadline: Optional[float],
        workers: Optional[int] = None,
    ) -> "TransferRunner":
        """Return the runner for one public call.

        :param workers: maximum number of threads; None for that of the client.
        :raises UsageError: the deadline is not a number, or ``workers`` is not a number of at least 1.
        """
        from smartxfer.transfer.runner import TransferRunner
        from smartxfer.validation import validate_count, validate_seconds

        if deadline is not None:  # a negative one has passed already
            deadline = validate_seconds(deadline, "deadline", minimum=-math.inf)
        return TransferRunner(
            policy=self._retry,
            max_workers=self._max_threads if workers is None else validate_count(workers, "max_workers"),
            clock=self._clock,
            cancel=cancel,
            deadline=deadline,
            progress=progress,
            limits=self._rate_limits,
            error_family=self._error_family,
            retry_checks=self._retry_rules,
        )

    # -- end --------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the session, unless the caller passed it."""
        if self._http_cached is not None:
            self._http_cached.close()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError(
            f"a {type(self).__name__} cannot be pickled, because it contains connections and credentials "
            "(create one in each process)"
        )

    @property
    def _display_url(self) -> Optional[str]:
        """The base URL that was passed, without passwords and tokens in it."""
        from smartxfer.transport import strip_query

        return None if self._base_url_arg is None else strip_query(self._base_url_arg)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._display_url!r})"


class HTTPClient(BaseClient):
    """A client of a service with an HTTP API, which has raw ``get``, ``put``, ``post`` and ``delete``."""

    def get(self, endpoint: str, id: Any = None, **params: Any) -> Any:
        """Send a GET request to an endpoint; ``params`` become query arguments.

        :param id: of the object, appended to the endpoint.
        :return: the decoded JSON, or a file-like object if the response is not JSON.
        :raises HTTPError: the server returned an error.
        :raises NetworkError: the server sent no response.
        """
        params = wrap_secrets(params)
        return self._request("GET", endpoint, id, params)

    def put(self, endpoint: str, id: Any = None, **params: Any) -> Any:
        """Send a PUT request to an endpoint; ``params`` become the body.  Otherwise like :meth:`get`."""
        params = wrap_secrets(params)
        return self._request("PUT", endpoint, id, params)

    def post(self, endpoint: str, id: Any = None, **params: Any) -> Any:
        """Send a POST request to an endpoint; ``params`` become the body.  Otherwise like :meth:`get`.

        :raises OutcomeUnknown: the response was lost; the request is not repeated.
        """
        params = wrap_secrets(params)
        return self._request("POST", endpoint, id, params)

    def delete(self, endpoint: str, id: Any = None, **params: Any) -> Any:
        """Send a DELETE request; ``params`` become query arguments.  Otherwise like :meth:`get`."""
        params = wrap_secrets(params)
        return self._request("DELETE", endpoint, id, params)

    __call__ = get

    def _request(self, method: str, endpoint: str, id: Any, params: Mapping[str, Any]) -> Any:
        return self._http.request_json_or_stream(
            self._build_request(method, self._endpoint_path(endpoint, id), params)
        )

    def _endpoint_path(self, endpoint: str, id: Any) -> str:
        """Return the path below the service's API.

        :param id: an id, or an object with the attribute ``id``.
        :raises UsageError: the endpoint is not text.
        """
        if not isinstance(endpoint, str):
            raise UsageError(
                f"endpoint must be text, not {type(endpoint).__name__}", hint="pass text: client.get('info')"
            )
        return endpoint.strip("/") + ("" if id is None else f"/{getattr(id, 'id', id)}")

    def _build_request(self, method: str, path: str, params: Mapping[str, Any]) -> "RequestSpec":
        """Return the request for a path below the service's API."""
        raise LookupError(f"{type(self).__name__} has no raw calls")
