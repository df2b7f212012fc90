"""Files that the server fetches from other servers, in the background.

Source: NRP protocol, section 6 (fetch).
"""

import contextlib
import http.client
import socket
import urllib.error
import urllib.request
from typing import IO, Any, Optional
from urllib.parse import urlsplit

from smartxfer.local.background_jobs import BackgroundJobs
from smartxfer.local.nrp import file_entries, file_storage
from smartxfer.local.nrp.backend import Backend
from smartxfer.local.nrp.containers import save_listing
from smartxfer.local.nrp.file_content import limit, set_content
from smartxfer.local.nrp.file_entries import FileEntry
from smartxfer.local.nrp.file_storage import SizeLimitExceeded, StoredBody

#: Timeout of the other server in seconds.
_TIMEOUT = 30.0
#: Largest stored part of its error page.
_PAGE = 64 << 10


class _Failed(Exception):
    """The fetch failed, with the message."""


class _AllowedHosts(urllib.request.HTTPRedirectHandler):
    """Follows redirects to allowed hosts only."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> Optional[urllib.request.Request]:
        """Return the request of a redirect.

        :raises _Failed: the host is not allowed.
        """
        if urlsplit(newurl).netloc not in self._backend.site.fetch_hosts:
            raise _Failed(f"Redirected to {newurl}: Domain not allowed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def begin(backend: Backend, entry: FileEntry) -> None:
    """Fetch a pending file in the background."""
    jobs = backend.jobs
    jobs.start("local-nrp-fetch", lambda: _fetch(backend, jobs, entry), backend.site.fetch_delay)


def _fetch(backend: Backend, jobs: BackgroundJobs, entry: FileEntry) -> None:
    received, error = None, ""
    try:
        received = _download(backend, jobs, entry)
    except _Failed as failed:
        error = str(failed)
    except (OSError, http.client.HTTPException, ValueError) as failed:
        error = str(failed) or type(failed).__name__
    if jobs.stopping.is_set() and received is None:
        # Interrupted by the stop of the server; it starts again with the next start.
        return
    database = backend.database
    with database.transaction():
        now = file_entries.find(database, entry.bucket, entry.key)
        if now is None or now.number != entry.number or now.status != "pending":
            if received is not None:
                file_storage.discard(database, backend.objects, [received.object])
            return
        now.updated = backend.stamp()
        if received is None:
            now.status, now.error = "failed", error
            file_entries.save(database, now)
            return
        now.type, now.status = "L", "completed"
        now.size, now.checksum = received.size, f"md5:{received.md5}"
        set_content(backend, now, received)
        now.metadata = {**(now.metadata or {}), **save_listing(backend, now)}
        file_entries.save(database, now)


def _download(backend: Backend, jobs: BackgroundJobs, entry: FileEntry) -> StoredBody:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _AllowedHosts(backend))
    # The initialization accepts only http and https.
    request = urllib.request.Request(entry.url, headers={"User-Agent": "InvenioRDM"})  # noqa: S310
    maximum, reason = limit(backend, entry)
    try:
        with opener.open(request, timeout=_TIMEOUT) as response:
            forget = jobs.on_stop(lambda: _interrupt_read(response))
            try:
                length = response.length
                received = file_storage.receive(
                    backend.database, backend.objects, response, length=length, maximum=maximum
                )
            finally:
                forget()
    except urllib.error.HTTPError as error:
        with error:
            raise _Failed(error.read(_PAGE).decode("utf-8", "replace") or str(error)) from None
    except SizeLimitExceeded:
        raise _Failed(reason) from None
    if length is not None and received.size < length:
        file_storage.discard(backend.database, backend.objects, [received.object])
        raise _Failed(f"The file ended after {received.size} of {length} bytes.")
    return received


def _interrupt_read(response: Any) -> None:
    """Interrupt a waiting read."""
    try:
        raw = socket.socket(fileno=socket.dup(response.fileno()))
    except (OSError, ValueError, AttributeError):
        return  # Already read to its end.
    with raw, contextlib.suppress(OSError):  # Already closed by the peer.
        raw.shutdown(socket.SHUT_RDWR)
