"""Sessions, which replace the connections of the vendor's protocol.

Source: JetStream protocol, sections 9.2 and 9.5.
"""

import collections
import secrets
import threading
from typing import Any, Callable, Dict, List, Optional

from smartxfer.local.jsonrpc.errors import RpcError

#: Largest number of replies that a session caches for repeated ids.
MAX_REPLIES = 256
#: Largest number of sessions.
MAX_SESSIONS = 1000
#: Largest number of sessions without a login, so that they never displace one with a login.
MAX_ANONYMOUS_SESSIONS = 250


class Session:
    """One client's session.

    :param id: the cookie.
    :param state: state that the service keeps for it.
    :param address: address of the client that opened it.
    """

    def __init__(self, id: str, state: Any, address: str = "") -> None:
        self.id = id
        self.state = state
        self.address = address
        self.last_used = 0.0
        self._lock = threading.Lock()
        self._replies: collections.OrderedDict[Any, _CachedReply] = collections.OrderedDict()

    def call_once(self, id: Any, call: Any, function: Callable[[], Dict[str, Any]]) -> Dict[str, Any]:
        """Call ``function`` and return its reply; for a repeated id, return the cached reply.

        A repeated call waits for the first one to finish.  The function is called only once for an id.

        :param call: digest of the call; a repeat has the same.
        :raises RpcError: the id belongs to another call, or the first attempt failed.
        """
        with self._lock:
            stored = self._replies.get((type(id), id))
            is_first = stored is None
            if stored is None:
                stored = self._replies[type(id), id] = _CachedReply(call)
                self._trim()
        if is_first:
            try:
                stored.reply = function()
            finally:
                stored.done.set()
            return stored.reply
        if stored.call != call:
            raise RpcError("InvalidRequest", "the id belongs to another call of this session")
        stored.done.wait()
        if stored.reply is None:
            raise RpcError("InternalError", "the first attempt failed: its effect is unknown")
        return stored.reply

    @property
    def is_busy(self) -> bool:
        """Return True while a call of the session is running."""
        with self._lock:
            return any(not stored.done.is_set() for stored in self._replies.values())

    def _trim(self) -> None:
        """Drop the oldest replies, except those of running calls."""
        surplus = len(self._replies) - MAX_REPLIES
        if surplus > 0:
            for key in [key for key, stored in self._replies.items() if stored.done.is_set()][:surplus]:
                del self._replies[key]


class _CachedReply:
    def __init__(self, call: Any) -> None:
        self.call = call
        self.done = threading.Event()
        self.reply: Optional[Dict[str, Any]] = None


class Sessions:
    """All sessions of a service.

    :param new_state: returns the state of a new session.
    :param on_end: called with the state of each session that ends.
    :param now: monotonic clock in seconds.
    :param logged_in: returns True if the client of a state has logged in; None if the service has no logins.
    """

    def __init__(
        self,
        new_state: Callable[[], Any],
        on_end: Callable[[Any], Any],
        now: Callable[[], float],
        logged_in: Optional[Callable[[Any], bool]] = None,
    ) -> None:
        self._new_state, self._on_end, self._now = new_state, on_end, now
        self._logged_in = logged_in
        self._lock = threading.Lock()
        self._sessions: Dict[str, Session] = {}

    def new(self, address: str = "") -> Session:
        """Start a session, and end another if there are too many.

        :param address: address of the client.
        """
        session = Session(secrets.token_urlsafe(24), self._new_state(), address)
        session.last_used = self._now()
        with self._lock:
            self._sessions[session.id] = session
            surplus = self._surplus_session(session)
        if surplus is not None:
            self.end(surplus.id)
        return session

    def _surplus_session(self, is_new: Session) -> Optional[Session]:
        """Return the session to end, or None: one without a login first, of the address with most sessions.

        Among these, the session without a running call that has been idle for longest.
        """
        groups: List[List[Session]] = [list(self._sessions.values())]
        if self._logged_in is not None:
            known: Dict[bool, List[Session]] = {False: [], True: []}
            for one in groups[0]:
                known[self._logged_in(one.state)].append(one)
            groups = [known[False], known[True]]
        for group, maximum in zip(
            groups, (MAX_ANONYMOUS_SESSIONS if self._logged_in else MAX_SESSIONS, MAX_SESSIONS)
        ):
            if len(group) > maximum:
                stored = collections.Counter(one.address for one in group)
                most_of_all = max(stored, key=lambda address: stored[address])
                others = [one for one in group if one.address == most_of_all and one is not is_new]
                return min(others or [is_new], key=lambda one: (one.is_busy, one.last_used))
        return None

    def find(self, id: str, idle_timeout: float = 0.0) -> Optional[Session]:
        """Return the session of a cookie, or None if it is unknown or has expired.

        :param idle_timeout: seconds without a call after which a session ends; 0: never.
        """
        with self._lock:
            session = self._sessions.get(id)
        if session is None:
            return None
        if idle_timeout and self._now() - session.last_used > idle_timeout:
            self.end(id)
            return None
        session.last_used = self._now()
        return session

    def end(self, id: str) -> None:
        """End a session, if it exists."""
        with self._lock:
            session = self._sessions.pop(id, None)
        if session is not None:
            self._on_end(session.state)

    def end_idle(self, idle_timeout: float) -> None:
        """End the sessions without a call for ``idle_timeout`` seconds; 0 ends none."""
        if idle_timeout:
            for session in self.all():
                if self._now() - session.last_used > idle_timeout:
                    self.end(session.id)

    def all(self) -> List[Session]:
        """Return every open session."""
        with self._lock:
            return list(self._sessions.values())

    def clear(self) -> None:
        """End every session."""
        for session in self.all():
            self.end(session.id)
