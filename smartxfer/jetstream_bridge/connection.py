"""One session's connection to the JetStream server: an interface of the vendor's, one call at a time."""

import collections
import contextlib
import logging
import threading
from typing import Any, Callable, Deque, Dict, Iterator, Mapping, Optional, Set

from smartxfer.jetstream_bridge.methods import METHODS
from smartxfer.jetstream_bridge.plain import plain
from smartxfer.jetstream_bridge.words import said
from smartxfer.local.jsonrpc import RpcError

__all__ = ["Connection"]

log = logging.getLogger("smartxfer.jetstream_bridge")

#: Seconds that a call waits for the one before it.
BUSY = 60.0
#: Seconds that leaving waits for a call that is at work.
LEAVING = 5.0
_LOGINS = frozenset({"auth", "authAsync", "authToken"})
_SECRETS = frozenset({"password", "token"})


class Connection:
    """A connected interface.

    Whether the vendor's package may be called from several threads at once is documented nowhere, so no two
    calls run at the same time.  It is opened and left as a context manager: that much is documented, the name
    of a method that disconnects is not.

    :param make: gives an interface that is not connected.
    :raises RpcError: the server cannot be reached.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._api: Any = None
        self._open = contextlib.ExitStack()
        self._logged_in = False
        self._logins: Set[str] = set()
        #: Passwords that this session gave, to be struck out of what the package says later.
        self._passwords: Deque[str] = collections.deque(maxlen=100)
        #: Whether the server stopped answering: no call is made any more, until :meth:`reopen`.
        self.broken = False
        self._enter()

    def _enter(self) -> None:
        with contextlib.ExitStack() as opening:
            try:
                api = self._make()
                opening.enter_context(api)
            except Exception as error:  # noqa: BLE001 - the classes of the package are not documented
                raise RpcError("InternalError", f"no connection to the server: {said(error)}") from None
            self._open = opening.pop_all()
        self._api = api
        self._logged_in, self._logins, self.broken = False, set(), False

    @property
    def logged_in(self) -> bool:
        """Return True once a login of this connection was good."""
        return self._logged_in

    def reopen(self) -> None:
        """Connect again where the server stopped answering.

        :raises RpcError: it cannot be reached.
        """
        with self._turn():
            if self.broken:
                self._leave()
                self._enter()

    def leave(self) -> None:
        """Disconnect; whatever is at work a while later is cut off."""
        mine = self._lock.acquire(timeout=LEAVING)
        try:
            self._leave()
        finally:
            if mine:
                self._lock.release()

    def _leave(self) -> None:
        self.broken = True
        try:
            self._open.close()
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
        placed, named = entry.arguments(params)
        if isinstance(params.get("password"), str):
            self._passwords.append(params["password"])
        with self._turn():
            if self.broken:
                raise RpcError("NotAuthenticated", "the server was left: log in again")
            called = getattr(getattr(self._api, entry.part, None), entry.name, None)
            if not callable(called):
                raise RpcError("ApiVersion", f"the installed package has no {entry.part}.{entry.name}")
            try:
                result = plain(called(*placed, **named))
            except RpcError:
                raise
            except Exception as error:  # noqa: BLE001 - the classes of the package are not documented
                raise self._refusal(method, params, error) from None
        self._note(method, params, result)
        return result

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=BUSY):
            raise RpcError("InternalError", "another call of this session is at work; this one was not made")
        try:
            yield
        finally:
            self._lock.release()

    def _note(self, method: str, params: Mapping[str, Any], result: Any) -> None:
        """Remember who logged in."""
        if method == "authAsync" and isinstance(result, Mapping):
            self._logins.add(str(result.get("requestId")))
        elif method in _LOGINS or self._is_login(method, params):
            self._logged_in = True

    def _is_login(self, method: str, params: Mapping[str, Any]) -> bool:
        return method == "getRequestResult" and str(params.get("requestId")) in self._logins

    def _refusal(self, method: str, params: Mapping[str, Any], error: Exception) -> RpcError:
        """What a failed call comes to; the server itself is asked where the exception does not tell."""
        secrets = [value for name, value in params.items() if name in _SECRETS and isinstance(value, str)]
        if method == "setLicenseKeyAsync":
            secrets.append(str(params.get("key")))
        text = said(error, [*secrets, *self._passwords])
        if isinstance(error, TypeError):
            return RpcError("InvalidParams", text)
        info = self._info()
        if info is None:
            self.broken = True
            return RpcError("InternalError", text)
        login = method in _LOGINS or self._is_login(method, params)
        if login and not isinstance(error, (ConnectionError, TimeoutError)):
            return RpcError("AuthenticationFailed", text)
        if info.get("authRequired") and not self._logged_in:
            return RpcError("NotAuthenticated", text)
        return RpcError("InternalError", text)

    def _info(self) -> Optional[Dict[str, Any]]:
        """What the server says about itself, to anybody; None where it does not answer any more."""
        try:
            info = plain(self._api.server.getServerInfo())
        except Exception as error:  # noqa: BLE001 - the classes of the package are not documented
            log.debug("the server does not answer: %s", type(error).__name__)
            return None
        return info if isinstance(info, dict) else {}
