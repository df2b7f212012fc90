"""The base of the five clients: a base URL, a session, credentials, calls of the engine, raw calls."""

import math
import threading
from typing import TYPE_CHECKING, Any, List, Mapping, Optional, Sequence, Tuple

import requests

from smartxfer import __version__
from smartxfer.credentials import ServiceNames
from smartxfer.errors import HTTPError, UsageError
from smartxfer.secret_text import hidden
from smartxfer.system_text import FilePath
from smartxfer.transport import RetryPolicy

if TYPE_CHECKING:
    from typing_extensions import Self

    from smartxfer.client_options import CertFiles, ClientOptions, Timeout, Verify
    from smartxfer.credentials import AddressKind, Credentials
    from smartxfer.error_families import ErrorFamily
    from smartxfer.seams import Clock
    from smartxfer.transfer.operation import Operation
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transport import Answer, Call, Wire
    from smartxfer.transport.checks import Check

__all__ = ["BaseClient", "HTTPClient"]


class BaseClient:
    """A blocking client over one shared session, closed by ``with`` or :meth:`close`.

    Threads may share a client.  Nothing is sent before the first call, and missing credentials are an error
    only when a request needs them.

    :param base_url: address of the service.
    :param options: the settings that every client takes.
    """

    #: Names of the service's credentials in every place where they may stand.
    names: ServiceNames
    #: Where the address comes from that was given; None: the program.
    _address_kind: "Optional[AddressKind]" = None

    def __init__(self, base_url: Optional[str], options: "ClientOptions") -> None:
        from smartxfer.credentials import look_up
        from smartxfer.seams import SYSTEM_CLOCK
        from smartxfer.transport import redact
        from smartxfer.transport.limits import Limits

        self._given_url = base_url
        self._options = options
        self._timeout = options.timeout
        self._retry = options.retry
        self._max_workers = options.max_workers
        self._clock = SYSTEM_CLOCK if options.clock is None else options.clock
        self._known_wire: Optional[Wire] = None
        self._known_credentials: Optional[Credentials] = None
        self._look_up = look_up
        self._limits = Limits(self._retry, self._clock)
        self._lock = threading.RLock()
        redact.install()

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
        """Return a client whose address and credentials are looked up.

        They come from environment variables, the service's own file, a profile, netrc, or the keyring.
        The parameters are those of the class.
        """
        from smartxfer.client_options import ClientOptions

        proxies = hidden(proxies)
        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        return cls(**options.keywords())

    # -- the way to the server --------------------------------------------------------------------------

    @property
    def _errors(self) -> "ErrorFamily":
        """The service's own errors, which its calls raise."""
        from smartxfer.error_families import GENERIC

        return GENERIC

    @property
    def base_url(self) -> str:
        """Address of the service, without a trailing slash.

        :raises CredentialError: it was found nowhere.
        """
        if self._given_url is None:
            self._given_url = self._credentials.require("base_url")["base_url"]
        return self._given_url.rstrip("/")

    @property
    def _wire(self) -> "Wire":
        if self._known_wire is None:
            from smartxfer.transport import Origin, Wire

            with self._lock:
                if self._known_wire is None:
                    self._known_wire = Wire(
                        Origin.of(self.base_url),
                        error_of=self._error_of,
                        errors=self._errors,
                        checks=self._checks,
                        user_agent=f"smartxfer/{__version__} {requests.utils.default_user_agent()}",
                        policy=self._retry,
                        timeout=self._timeout,
                        clock=self._clock,
                        limits=self._limits,
                        pool_size=max(16, self._max_workers),
                        session=self._options.session,
                        verify=self._options.verify,
                        cert=self._options.cert,
                        cert_origins=self._options.cert_origins,
                        proxies=self._options.proxies,
                    )
        return self._known_wire

    @property
    def session(self) -> requests.Session:
        """The requests Session that all threads share."""
        return self._wire.session

    def _error_of(self, answer: "Answer", method: str, url: str) -> HTTPError:
        """The exception for an answer of 400 and more."""
        from smartxfer.transport.status import http_error

        return http_error(answer, method, url, policy=self._retry, clock=self._clock)

    @property
    def _checks(self) -> "Sequence[Check]":
        """The decisions about another try that this service alone can make."""
        return ()

    # -- credentials ------------------------------------------------------------------------------------

    @property
    def _credentials(self) -> "Credentials":
        with self._lock:
            if self._known_credentials is None:
                from smartxfer.credentials import AddressKind

                self._known_credentials = self._look_up(
                    self.names,
                    self._given_credentials(),
                    profile=self._options.profile,
                    netrcfile=self._options.netrcfile,
                    kind=self._address_kind or AddressKind.EXPLICIT,
                    errors=self._errors,
                )
            return self._known_credentials

    def _given_credentials(self) -> Mapping[str, Optional[str]]:
        """What came as arguments."""
        return {"base_url": self._given_url}

    def explain_credentials(self) -> List[Tuple[str, str, str]]:
        """Return (name, masked value, source) of each value.

        The source tells the place, the origin that the value is for, and why another one is not used.
        """
        return self._credentials.explain()

    # -- calls of the engine ----------------------------------------------------------------------------

    @property
    def _threads(self) -> int:
        """Most threads of one call."""
        return self._max_workers

    def _operation(
        self,
        progress: "Progress",
        cancel: "Optional[Cancel]",
        deadline: Optional[float],
        workers: Optional[int] = None,
    ) -> "Operation":
        """Return the operation of the engine that runs one call of the user's.

        :param workers: most threads of this call; None: as many as the client has.
        :raises UsageError: the deadline is not a number, or ``workers`` is not one of at least 1.
        """
        from smartxfer.options import check_count, check_seconds
        from smartxfer.transfer.operation import Operation

        if deadline is not None:  # one in the past is over at once
            deadline = check_seconds(deadline, "deadline", least=-math.inf)
        return Operation(
            policy=self._retry,
            workers=self._threads if workers is None else check_count(workers, "max_workers"),
            clock=self._clock,
            cancel=cancel,
            deadline=deadline,
            progress=progress,
            limits=self._limits,
            errors=self._errors,
            checks=self._checks,
        )

    # -- end --------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the session, unless it was given to us."""
        if self._known_wire is not None:
            self._known_wire.close()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError(
            f"a {type(self).__name__} cannot be pickled: it holds connections and credentials; "
            "make one in each process"
        )

    @property
    def _shown_url(self) -> Optional[str]:
        """What was given as address, without the password or the token that may stand in it."""
        from smartxfer.transport import without_query

        return None if self._given_url is None else without_query(self._given_url)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown_url!r})"


class HTTPClient(BaseClient):
    """A client of a service whose API is HTTP: it also has raw ``get``, ``put``, ``post`` and ``delete``."""

    def get(self, endpoint: str, id: Any = None, **params: Any) -> Any:
        """GET an endpoint; ``params`` become query arguments.

        :param id: of the object, appended to the endpoint.
        :return: the decoded JSON, or a file-like object where the answer is not JSON.
        :raises HTTPError: the server answered with an error.
        :raises NetworkError: no answer.
        """
        params = hidden(params)
        return self._raw("GET", endpoint, id, params)

    def put(self, endpoint: str, id: Any = None, **params: Any) -> Any:
        """PUT to an endpoint; ``params`` become the body.  Otherwise like :meth:`get`."""
        params = hidden(params)
        return self._raw("PUT", endpoint, id, params)

    def post(self, endpoint: str, id: Any = None, **params: Any) -> Any:
        """POST to an endpoint; ``params`` become the body.  Otherwise like :meth:`get`.

        :raises OutcomeUnknown: the answer was lost; the request is not repeated.
        """
        params = hidden(params)
        return self._raw("POST", endpoint, id, params)

    def delete(self, endpoint: str, id: Any = None, **params: Any) -> Any:
        """DELETE an object; ``params`` become query arguments.  Otherwise like :meth:`get`."""
        params = hidden(params)
        return self._raw("DELETE", endpoint, id, params)

    __call__ = get

    def _raw(self, method: str, endpoint: str, id: Any, params: Mapping[str, Any]) -> Any:
        return self._wire.exchange(self._call(method, self._path(endpoint, id), params))

    def _path(self, endpoint: str, id: Any) -> str:
        """The path below the service's API; of a structure, its id is meant.

        :raises UsageError: the endpoint is not text.
        """
        if not isinstance(endpoint, str):
            raise UsageError(f"an endpoint is text, not {type(endpoint).__name__}", hint="client.get('info')")
        return endpoint.strip("/") + ("" if id is None else f"/{getattr(id, 'id', id)}")

    def _call(self, method: str, path: str, params: Mapping[str, Any]) -> "Call":
        """The call for a path below the service's API: JSON bodies, unless a service says otherwise."""
        raise LookupError(f"{type(self).__name__} has no raw calls")
