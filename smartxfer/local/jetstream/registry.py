"""Which servers run in this process, so that a destination finds the one that it names."""

import threading
from typing import Dict, List, Optional

from smartxfer.local.jetstream.backend import Backend
from smartxfer.local.loopback import is_loopback

_lock = threading.Lock()
_running: Dict[int, Backend] = {}


def join(backend: Backend) -> None:
    """Let a server be found; those who look for one look again."""
    with _lock:
        _running[backend.port] = backend
    tell_others(backend)


def leave(backend: Backend) -> None:
    """Let a server be found no more."""
    with _lock:
        if _running.get(backend.port) is backend:
            del _running[backend.port]


def find(address: str, port: int) -> Optional[Backend]:
    """The server at an address of this machine, None where there is none."""
    with _lock:
        found = _running.get(port)
    if found is None or not (is_loopback(address.lower()) or address == found.host):
        return None
    return found


def others(backend: Backend) -> List[Backend]:
    """Every other running server."""
    with _lock:
        return [one for one in _running.values() if one is not backend]


def tell_others(backend: Backend) -> None:
    """Make the others look again whether a server takes something in; the caller holds no lock."""
    for one in others(backend):
        one.tell()

