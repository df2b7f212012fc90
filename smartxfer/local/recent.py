"""What the server remembers of the latest sessions, uploads and the like, not longer than it has to."""

import threading
from typing import Dict, Generic, Hashable, Optional, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """The latest values by key; the oldest is forgotten where there are too many.

    :param most: how many are kept.
    """

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self._known: Dict[Key, Value] = {}
        self._lock = threading.RLock()

    def __setitem__(self, key: Key, value: Value) -> None:
        with self._lock:
            self._known[key] = value
            while len(self._known) > self._most:
                del self._known[next(iter(self._known))]

    def get(self, key: Key) -> Optional[Value]:
        """Return a value, None where there is none."""
        with self._lock:
            return self._known.get(key)

    def pop(self, key: Key) -> Optional[Value]:
        """Forget a value, and return it."""
        with self._lock:
            return self._known.pop(key, None)

    def add(self, key: Key, value: Value) -> bool:
        """Keep a value under a new key; False where there is one already."""
        with self._lock:
            if key in self._known:
                return False
            self[key] = value
            return True
