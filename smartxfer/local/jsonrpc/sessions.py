"""Sessions: what stands in the place of a connection.

Source: JetStream protocol, sections 9.2 and 9.5.
"""

import collections
import secrets
import threading
from typing import Any, Callable, Dict, List, Optional

from smartxfer.local.jsonrpc.errors import RpcError

#: Answers that a session keeps for repeated ids.
KEPT = 256
#: Sessions that are kept at all.
MOST = 1000
#: Sessions without a login that are kept, where the service tells them apart: these never push out a login.
MOST_ANONYMOUS = 250


class Session:
    """One client's session.

    :param id: the cookie.
    :param state: whatever the service keeps of it.
    :param address: address of the client that opened it.
    """

    def __init__(self, id: str, state: Any, address: str = "") -> None:
        self.id = id
        self.state = state
        self.address = address
        self.used = 0.0
        self._lock = threading.Lock()
        self._answers: collections.OrderedDict[Any, _Kept] = collections.OrderedDict()

    def once(self, id: Any, call: Any, work: Callable[[], Dict[str, Any]]) -> Dict[str, Any]:
        """What ``work`` answers; for an id that came before, what it answered then.

        A repeat that comes while the first is at work waits for it.  Never is the work of one id done twice.

        :param call: what is called; a repeat has the same.
        :raises RpcError: the id is another call's, or the first attempt broke off.
        """
        with self._lock:
            kept = self._answers.get((type(id), id))
            mine = kept is None
            if kept is None:
                kept = self._answers[type(id), id] = _Kept(call)
                self._trim()
        if mine:
            try:
                kept.answer = work()
            finally:
                kept.done.set()
            return kept.answer
        if kept.call != call:
            raise RpcError("InvalidRequest", "the id belongs to another call of this session")
        kept.done.wait()
        if kept.answer is None:
            raise RpcError("InternalError", "the first attempt broke off: what it did is not known")
        return kept.answer

    @property
    def at_work(self) -> bool:
        """Return True while a call of the session has no answer yet."""
        with self._lock:
            return any(not kept.done.is_set() for kept in self._answers.values())

    def _trim(self) -> None:
        """Forget the oldest answers, but none that is still to come."""
        spare = len(self._answers) - KEPT
        if spare > 0:
            for key in [key for key, kept in self._answers.items() if kept.done.is_set()][:spare]:
                del self._answers[key]


class _Kept:
    def __init__(self, call: Any) -> None:
        self.call = call
        self.done = threading.Event()
        self.answer: Optional[Dict[str, Any]] = None


class Sessions:
    """Every session of a service.

    :param opened: makes the state of a new session.
    :param closed: told of the state of each that ends.
    :param now: seconds on a clock that never steps back.
    :param logged_in: says of a state if its client has logged in; None where the service knows no logins.
    """

    def __init__(
        self,
        opened: Callable[[], Any],
        closed: Callable[[Any], Any],
        now: Callable[[], float],
        logged_in: Optional[Callable[[Any], bool]] = None,
    ) -> None:
        self._opened, self._closed, self._now = opened, closed, now
        self._logged_in = logged_in
        self._lock = threading.Lock()
        self._known: Dict[str, Session] = {}

    def new(self, address: str = "") -> Session:
        """Open a session, and end one where there are too many.

        :param address: address of the client.
        """
        session = Session(secrets.token_urlsafe(24), self._opened(), address)
        session.used = self._now()
        with self._lock:
            self._known[session.id] = session
            spare = self._spare(session)
        if spare is not None:
            self.end(spare.id)
        return session

    def _spare(self, fresh: Session) -> Optional[Session]:
        """Return the session to end: of those without a login first, and of the address that has the most.

        Of these it is one without a call at work, idle for longest.
        """
        groups: List[List[Session]] = [list(self._known.values())]
        if self._logged_in is not None:
            known: Dict[bool, List[Session]] = {False: [], True: []}
            for one in groups[0]:
                known[self._logged_in(one.state)].append(one)
            groups = [known[False], known[True]]
        for group, most in zip(groups, (MOST_ANONYMOUS if self._logged_in else MOST, MOST)):
            if len(group) > most:
                held = collections.Counter(one.address for one in group)
                most_of_all = max(held, key=lambda address: held[address])
                others = [one for one in group if one.address == most_of_all and one is not fresh]
                return min(others or [fresh], key=lambda one: (one.at_work, one.used))
        return None

    def find(self, id: str, idle: float = 0.0) -> Optional[Session]:
        """The session of a cookie, None where there is none (any more).

        :param idle: seconds without a call after which a session ends; 0: never.
        """
        with self._lock:
            session = self._known.get(id)
        if session is None:
            return None
        if idle and self._now() - session.used > idle:
            self.end(id)
            return None
        session.used = self._now()
        return session

    def end(self, id: str) -> None:
        """End a session; one that is not there is none."""
        with self._lock:
            session = self._known.pop(id, None)
        if session is not None:
            self._closed(session.state)

    def sweep(self, idle: float) -> None:
        """End the sessions without a call for ``idle`` seconds; 0: none."""
        if idle:
            for session in self.all():
                if self._now() - session.used > idle:
                    self.end(session.id)

    def all(self) -> List[Session]:
        """Every open session."""
        with self._lock:
            return list(self._known.values())

    def clear(self) -> None:
        """End every session."""
        for session in self.all():
            self.end(session.id)
