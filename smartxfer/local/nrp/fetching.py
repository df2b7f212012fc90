"""Files that the server fetches itself, in the background.

Source: NRP protocol, section 6 (fetch).
"""

import http.client
import socket
import urllib.error
import urllib.request
from typing import IO, Any, Optional
from urllib.parse import urlsplit

from smartxfer.local.background import Jobs
from smartxfer.local.nrp import entries, stored
from smartxfer.local.nrp.backend import Backend
from smartxfer.local.nrp.containers import noted
from smartxfer.local.nrp.content import adopt, limit
from smartxfer.local.nrp.entries import Entry
from smartxfer.local.nrp.stored import Received, TooMuch

#: Seconds that the other server may be silent.
_PATIENCE = 30.0
#: Most of its error page that is kept.
_PAGE = 64 << 10


class _Failed(Exception):
    """The file could not be fetched; what is said of it."""


class _SameHosts(urllib.request.HTTPRedirectHandler):
    """Follows redirects to hosts that are allowed."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> Optional[urllib.request.Request]:
        """The request that a redirect leads to.

        :raises _Failed: its host is not in the list.
        """
        if urlsplit(newurl).netloc not in self._backend.site.fetch_hosts:
            raise _Failed(f"Redirected to {newurl}: Domain not allowed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def begin(backend: Backend, entry: Entry) -> None:
    """Fetch a pending file by and by; in the end it is completed or failed."""
    jobs = backend.jobs
    jobs.start("local-nrp-fetch", lambda: _fetch(backend, jobs, entry), backend.site.fetch_delay)


def _fetch(backend: Backend, jobs: Jobs, entry: Entry) -> None:
    received, error = None, ""
    try:
        received = _received(backend, jobs, entry)
    except _Failed as failed:
        error = str(failed)
    except (OSError, http.client.HTTPException, ValueError) as failed:
        error = str(failed) or type(failed).__name__
    if jobs.stopping.is_set() and received is None:
        # Cut off by the stop of the server; it begins anew with the next start.
        return
    database = backend.database
    with database.transaction():
        now = entries.find(database, entry.bucket, entry.key)
        if now is None or now.number != entry.number or now.status != "pending":
            if received is not None:
                stored.discard(database, backend.objects, [received.object])
            return
        now.updated = backend.stamp()
        if received is None:
            now.status, now.error = "failed", error
            entries.save(database, now)
            return
        now.type, now.status = "L", "completed"
        now.size, now.checksum = received.size, f"md5:{received.md5}"
        adopt(backend, now, received)
        now.metadata = {**(now.metadata or {}), **noted(backend, now)}
        entries.save(database, now)


def _received(backend: Backend, jobs: Jobs, entry: Entry) -> Received:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _SameHosts(backend))
    # The start call let nothing in but http and https.
    request = urllib.request.Request(entry.url, headers={"User-Agent": "InvenioRDM"})  # noqa: S310
    most, reason = limit(backend, entry)
    try:
        with opener.open(request, timeout=_PATIENCE) as answer:
            forget = jobs.on_stop(lambda: _cut(answer))
            try:
                length = answer.length
                received = stored.receive(backend.database, backend.objects, answer, length=length, most=most)
            finally:
                forget()
    except urllib.error.HTTPError as error:
        with error:
            raise _Failed(error.read(_PAGE).decode("utf-8", "replace") or str(error)) from None
    except TooMuch:
        raise _Failed(reason) from None
    if length is not None and received.size < length:
        stored.discard(backend.database, backend.objects, [received.object])
        raise _Failed(f"The file ended after {received.size} of {length} bytes.")
    return received


def _cut(answer: Any) -> None:
    """End a read that waits."""
    try:
        raw = socket.socket(fileno=socket.dup(answer.fileno()))
    except (OSError, ValueError, AttributeError):
        return  # It has been read to its end.
    with raw:
        try:
            raw.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # The peer was quicker.
