"""A dictionary of bounded size, such as sessions and uploads."""

import threading
from typing import Dict, Generic, Hashable, Optional, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class BoundedDict(Generic[Key, Value]):
    """Dictionary that drops its oldest entry when it has more than ``max_items``.

    :param max_items: largest number of entries.
    """

    def __init__(self, max_items: int = 1000) -> None:
        self._max_items = max_items
        self._items: Dict[Key, Value] = {}
        self._lock = threading.RLock()

    def __setitem__(self, key: Key, value: Value) -> None:
        with self._lock:
            self._items[key] = value
            while len(self._items) > self._max_items:
                del self._items[next(iter(self._items))]

    def get(self, key: Key) -> Optional[Value]:
        """Return a value, or None."""
        with self._lock:
            return self._items.get(key)

    def pop(self, key: Key) -> Optional[Value]:
        """Remove a value and return it."""
        with self._lock:
            return self._items.pop(key, None)

    def add(self, key: Key, value: Value) -> bool:
        """Add a value under a new key; return False if the key exists."""
        with self._lock:
            if key in self._items:
                return False
            self[key] = value
            return True
