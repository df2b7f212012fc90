"""One session's connection to the JetStream server: an interface of the vendor's, one call at a time."""

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

#: Seconds that a call waits for the one before it.
LOCK_TIMEOUT = 60.0
#: Seconds that leaving waits for a call that is at work.
DISCONNECT_TIMEOUT = 5.0
_LOGIN_METHODS = frozenset({"auth", "authAsync", "authToken"})
_SECRET_PARAMS = frozenset({"password", "token"})


class VendorConnection:
    """A connected interface.

    Whether the vendor's package may be called from several threads at once is documented nowhere, so no two
    calls run at the same time.  It is opened and left as a context manager: that much is documented, the name
    of a method that disconnects is not.

    :param create_api: gives an interface that is not connected.
    :raises RpcError: the server cannot be reached.
    """

    def __init__(self, create_api: Callable[[], Any]) -> None:
        self._create_api = create_api
        self._lock = threading.Lock()
        self._api: Any = None
        self._exit_stack = contextlib.ExitStack()
        self._logged_in = False
        self._login_request_ids: Set[str] = set()
        #: Passwords that this session gave, to be struck out of what the package says later.
        self._passwords: Deque[str] = collections.deque(maxlen=100)
        #: Whether the server stopped answering: no call is made any more, until :meth:`reopen`.
        self.broken = False
        self._connect()

    def _connect(self) -> None:
        with contextlib.ExitStack() as opening:
            try:
                api = self._create_api()
                opening.enter_context(api)
            except Exception as error:  # noqa: BLE001 - the classes of the package are not documented
                raise RpcError(
                    "InternalError", f"no connection to the server: {format_error(error)}"
                ) from None
            self._exit_stack = opening.pop_all()
        self._api = api
        self._logged_in, self._login_request_ids, self.broken = False, set(), False

    @property
    def logged_in(self) -> bool:
        """Return True once a login of this connection was good."""
        return self._logged_in

    def reconnect(self) -> None:
        """Connect again where the server stopped answering.

        :raises RpcError: it cannot be reached.
        """
        with self._acquire_lock():
            if self.broken:
                self._disconnect()
                self._connect()

    def disconnect(self) -> None:
        """Disconnect; whatever is at work a while later is cut off."""
        mine = self._lock.acquire(timeout=DISCONNECT_TIMEOUT)
        try:
            self._disconnect()
        finally:
            if mine:
                self._lock.release()

    def _disconnect(self) -> None:
        self.broken = True
        try:
            self._exit_stack.close()
        except Exception as error:  # noqa: BLE001 - a connection that breaks while it is left is left
            log.debug("leaving the server: %s", type(error).__name__)

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        """Call a method of the package.

        :param method: name of the call.
        :param params: its parameters by name.
        :return: the result, as JSON can say it.
        :raises RpcError: the package lacks the method, or its call failed.
        """
        entry = METHODS[method]
        placed, named = entry.bind_arguments(params)
        if isinstance(params.get("password"), str):
            self._passwords.append(params["password"])
        with self._acquire_lock():
            if self.broken:
                raise RpcError("NotAuthenticated", "the server was left: log in again")
            called = getattr(getattr(self._api, entry.interface, None), entry.name, None)
            if not callable(called):
                raise RpcError("ApiVersion", f"the installed package has no {entry.interface}.{entry.name}")
            try:
                result = to_json_value(called(*placed, **named))
            except RpcError:
                raise
            except Exception as error:  # noqa: BLE001 - the classes of the package are not documented
                raise self._build_error(method, params, error) from None
        self._record_login(method, params, result)
        return result

    @contextlib.contextmanager
    def _acquire_lock(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=LOCK_TIMEOUT):
            raise RpcError("InternalError", "another call of this session is at work; this one was not made")
        try:
            yield
        finally:
            self._lock.release()

    def _record_login(self, method: str, params: Mapping[str, Any], result: Any) -> None:
        """Remember who logged in."""
        if method == "authAsync" and isinstance(result, Mapping):
            self._login_request_ids.add(str(result.get("requestId")))
        elif method in _LOGIN_METHODS or self._is_login(method, params):
            self._logged_in = True

    def _is_login(self, method: str, params: Mapping[str, Any]) -> bool:
        return method == "getRequestResult" and str(params.get("requestId")) in self._login_request_ids

    def _build_error(self, method: str, params: Mapping[str, Any], error: Exception) -> RpcError:
        """What a failed call comes to; the server itself is asked where the exception does not tell."""
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
        """What the server says about itself, to anybody; None where it does not answer any more."""
        try:
            info = to_json_value(self._api.server.getServerInfo())
        except Exception as error:  # noqa: BLE001 - the classes of the package are not documented
            log.debug("the server does not answer: %s", type(error).__name__)
            return None
        return info if isinstance(info, dict) else {}
