"""Connection of a session to the JetStream server, through an object of the vendor's package."""

import collections
import contextlib
import logging
import threading
from typing import Any, Callable, Deque, Dict, Iterator, Mapping, Optional, Set

from smartxfer.jetstream_bridge.error_text import format_error
from smartxfer.jetstream_bridge.methods import METHODS
from smartxfer.jetstream_bridge.serialization import to_json_value
from smartxfer.local.jsonrpc import RpcError

__all__ = ["VendorConnection"]

log = logging.getLogger("smartxfer.jetstream_bridge")

#: Seconds that a call waits for the end of the previous call.
LOCK_TIMEOUT = 60.0
#: Seconds that a disconnect waits for the end of a running call.
DISCONNECT_TIMEOUT = 5.0
_LOGIN_METHODS = frozenset({"auth", "authAsync", "authToken"})
_SECRET_PARAMS = frozenset({"password", "token"})


class VendorConnection:
    """A connected API object of the vendor's package.

    The package is not documented to be thread-safe, so calls are serialized.  The connection is opened and
    closed as a context manager, because a method that disconnects is not documented.

    :param create_api: returns an API object that is not connected.
    :raises RpcError: the server cannot be reached.
    """

    def __init__(self, create_api: Callable[[], Any]) -> None:
        self._create_api = create_api
        self._lock = threading.Lock()
        self._api: Any = None
        self._exit_stack = contextlib.ExitStack()
        self._logged_in = False
        self._login_request_ids: Set[str] = set()
        #: Passwords of this session's calls, which are removed from later error texts of the package.
        self._passwords: Deque[str] = collections.deque(maxlen=100)
        #: True if the server has stopped responding; calls then fail until :meth:`reconnect`.
        self.broken = False
        self._connect()

    def _connect(self) -> None:
        with contextlib.ExitStack() as exit_stack:
            try:
                api = self._create_api()
                exit_stack.enter_context(api)
            except Exception as error:  # noqa: BLE001 - the classes of the package are not documented
                raise RpcError(
                    "InternalError", f"cannot connect to the server: {format_error(error)}"
                ) from None
            self._exit_stack = exit_stack.pop_all()
        self._api = api
        self._logged_in, self._login_request_ids, self.broken = False, set(), False

    @property
    def logged_in(self) -> bool:
        """True after a successful login on this connection."""
        return self._logged_in

    def reconnect(self) -> None:
        """Connect again if the server has stopped responding.

        :raises RpcError: it cannot be reached.
        """
        with self._acquire_lock():
            if self.broken:
                self._disconnect()
                self._connect()

    def disconnect(self) -> None:
        """Disconnect; a call that is still running after a few seconds is interrupted."""
        acquired = self._lock.acquire(timeout=DISCONNECT_TIMEOUT)
        try:
            self._disconnect()
        finally:
            if acquired:
                self._lock.release()

    def _disconnect(self) -> None:
        self.broken = True
        try:
            self._exit_stack.close()
        except Exception as error:  # noqa: BLE001 - the connection is closed even if closing it fails
            log.debug("disconnecting from the server failed: %s", type(error).__name__)

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        """Call a method of the package.

        :param method: JSON-RPC name of the method.
        :param params: its parameters by name.
        :return: the result as a JSON value.
        :raises RpcError: the package does not have the method, or its call failed.
        """
        entry = METHODS[method]
        args, kwargs = entry.bind_arguments(params)
        if isinstance(params.get("password"), str):
            self._passwords.append(params["password"])
        with self._acquire_lock():
            if self.broken:
                raise RpcError("NotAuthenticated", "the connection to the server is closed: log in again")
            function = getattr(getattr(self._api, entry.interface, None), entry.name, None)
            if not callable(function):
                raise RpcError("ApiVersion", f"the installed package has no {entry.interface}.{entry.name}")
            try:
                result = to_json_value(function(*args, **kwargs))
            except RpcError:
                raise
            except Exception as error:  # noqa: BLE001 - the classes of the package are not documented
                raise self._build_error(method, params, error) from None
        self._record_login(method, params, result)
        return result

    @contextlib.contextmanager
    def _acquire_lock(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=LOCK_TIMEOUT):
            raise RpcError(
                "InternalError", "another call of this session is running; this one was not executed"
            )
        try:
            yield
        finally:
            self._lock.release()

    def _record_login(self, method: str, params: Mapping[str, Any], result: Any) -> None:
        """Set ``logged_in`` after a successful login."""
        if method == "authAsync" and isinstance(result, Mapping):
            self._login_request_ids.add(str(result.get("requestId")))
        elif method in _LOGIN_METHODS or self._is_login(method, params):
            self._logged_in = True

    def _is_login(self, method: str, params: Mapping[str, Any]) -> bool:
        return method == "getRequestResult" and str(params.get("requestId")) in self._login_request_ids

    def _build_error(self, method: str, params: Mapping[str, Any], error: Exception) -> RpcError:
        """Return the error of a failed call; its code depends on whether the server still responds."""
        secrets = [
            value for name, value in params.items() if name in _SECRET_PARAMS and isinstance(value, str)
        ]
        if method == "setLicenseKeyAsync":
            secrets.append(str(params.get("key")))
        text = format_error(error, [*secrets, *self._passwords])
        if isinstance(error, TypeError):
            return RpcError("InvalidParams", text)
        info = self._get_server_info()
        if info is None:
            self.broken = True
            return RpcError("InternalError", text)
        login = method in _LOGIN_METHODS or self._is_login(method, params)
        if login and not isinstance(error, (ConnectionError, TimeoutError)):
            return RpcError("AuthenticationFailed", text)
        if info.get("authRequired") and not self._logged_in:
            return RpcError("NotAuthenticated", text)
        return RpcError("InternalError", text)

    def _get_server_info(self) -> Optional[Dict[str, Any]]:
        """Return the identity and settings of the server; None if it does not respond."""
        try:
            info = to_json_value(self._api.server.getServerInfo())
        except Exception as error:  # noqa: BLE001 - the classes of the package are not documented
            log.debug("the server does not respond: %s", type(error).__name__)
            return None
        return info if isinstance(info, dict) else {}
