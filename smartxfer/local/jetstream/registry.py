"""Registry of the servers in this process, for lookups of destinations."""

import threading
from typing import Dict, List, Optional

from smartxfer.local.jetstream.backend import Backend
from smartxfer.local.loopback import is_loopback

_lock = threading.Lock()
_running: Dict[int, Backend] = {}


def register(backend: Backend) -> None:
    """Register a server, and notify the others."""
    with _lock:
        _running[backend.port] = backend
    notify_peers(backend)


def unregister(backend: Backend) -> None:
    """Remove a server from the registry."""
    with _lock:
        if _running.get(backend.port) is backend:
            del _running[backend.port]


def find(address: str, port: int) -> Optional[Backend]:
    """Return the server at an address of this machine, or None."""
    with _lock:
        server = _running.get(port)
    if server is None or not (is_loopback(address.lower()) or address == server.host):
        return None
    return server


def peers(backend: Backend) -> List[Backend]:
    """Return every other running server."""
    with _lock:
        return [peer for peer in _running.values() if peer is not backend]


def notify_peers(backend: Backend) -> None:
    """Notify the other servers of a changed state of this one; the caller must not hold a lock."""
    for peer in peers(backend):
        peer.notify_changed()

