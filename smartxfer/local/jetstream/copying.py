"""The sending side: one thread that copies files to their receivers, transfer by transfer.

Source: JetStream protocol, section 9.6.
"""

import logging
import os
import threading
import time
from typing import BinaryIO, List, Optional, Set, Tuple

from smartxfer.local.database import Row, pick
from smartxfer.local.jetstream import destinations, manifests, receiving, registry, transfers
from smartxfer.local.jetstream.backend import Backend
from smartxfer.local.jetstream.progress import BLOCK, Live, blocks
from smartxfer.local.jetstream.receiving import Incoming, Unreachable
from smartxfer.local.jsonrpc import RpcError

log = logging.getLogger("smartxfer.local")

#: How a receiver calls the states in which a transfer has ended; the others are interruptions.
_RECEIVED = {"complete": "complete", "error": "error", "deleted": "error"}
#: Most bytes of a piece.
PIECE = 256 << 10
#: Seconds between two notes of how far a transfer is.
NOTE = 0.2
#: Seconds after which a destination that did not answer is looked for again.
AGAIN = 0.5


class _Failed(Exception):
    """A transfer cannot be finished: the text says why."""


class _Interrupted(Exception):
    """A transfer was suspended, failed or deleted, or the server ends."""


class Copier:
    """Copies what is to be sent, lowest priority number first, then the oldest.

    :param backend: the sending server.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._thread = threading.Thread(target=self._run, name=f"local-{backend.title}-copy", daemon=True)

    def start(self) -> None:
        """Begin to copy."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the end, once the server ends."""
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        backend = self._backend
        while not backend.stopping.is_set():
            with backend.lock:
                waiting = _queue(backend)
                if not waiting:
                    backend.changed.wait_for(lambda: backend.stopping.is_set() or _queue(backend))
                    continue
            chosen = self._first(waiting)
            if chosen is not None:
                self._send(*chosen)
            else:
                with backend.lock:
                    backend.changed.wait(AGAIN)

    def _first(self, waiting: List[Row]) -> Optional[Tuple[Row, Row, Backend]]:
        """The first transfer whose destination answers; the others are noted there."""
        backend = self._backend
        silent: Set[int] = set()
        for row in waiting:
            destination = backend.database.find("destinations", id=row["destination"])
            if destination is None or destination["id"] in silent or backend.stopping.is_set():
                continue
            receiver = registry.find(destination["address"], destination["port"])
            try:
                why = "no server answers there" if receiver is None else receiving.refusal(receiver, backend)
            except Unreachable as error:
                why = str(error)
            if receiver is not None and not why:
                return row, destination, receiver
            silent.add(destination["id"])
            destinations.unreached(backend, destination["id"], why)
        return None

    def _send(self, row: Row, destination: Row, receiver: Backend) -> None:
        """Copy one transfer until it is done or interrupted."""
        backend, id = self._backend, row["id"]
        live = _begun(backend, id)
        if live is None:
            return
        destinations.reached(backend, destination, receiver)
        status, error = "complete", None
        try:
            receiving.begin(receiver, backend, id, row["path"], row["total_bytes"])
            Sending(backend, receiver, row, live).run()
        except _Interrupted:
            status = ""
        except Unreachable as gone:
            status = "pending"
            destinations.unreached(backend, destination["id"], str(gone))
        except _Failed as failed:
            status, error = "error", str(failed)
        except RpcError as refused:
            status, error = "error", refused.message
        except OSError as failed_file:
            status, error = "error", str(failed_file.strerror)
        except Exception as bug:
            log.exception("transfer %s crashed", id)
            status, error = "error", f"the server failed: {bug}"
        now = self._settle(live, status, error)
        receiving.end(receiver, backend, id, _RECEIVED.get(now, "receiving"))
        if now in _RECEIVED:
            receiving.discard(receiver, backend, id)
        with backend.lock:
            backend.live.pop(id, None)
            backend.changed.notify_all()

    def _settle(self, live: Live, status: str, error: Optional[str]) -> str:
        """Write down how a transfer ended, unless a call has decided meanwhile.

        :return: its state.
        """
        backend = self._backend
        with backend.lock:
            transfers.store(backend, live)
            row = backend.database.find("transfers", id=live.id)
            if row is None or row["deleted"]:
                return "deleted"
            if row["status"] != "sending" or not status:
                return str(row["status"])
            transfers.put(backend, live.id, status, error)
            if status in ("complete", "error"):
                manifests.clean(backend)
            return status


class Sending:
    """One stretch of sending a transfer.

    :param backend: the sender.
    :param receiver: the receiver.
    :param row: the transfer.
    :param live: its counters.
    """

    def __init__(self, backend: Backend, receiver: Backend, row: Row, live: Live) -> None:
        self._backend, self._receiver, self._row, self._live = backend, receiver, row, live
        self._noted = time.monotonic()
        self._due = time.monotonic()
        self._buffer = memoryview(bytearray(PIECE))

    def run(self) -> None:
        """Send every file from where the transfer is."""
        live = self._live
        while True:
            self._obey()
            manifest = self._row["manifest"]
            file = self._backend.database.find("manifest_files", manifest=manifest, number=live.number)
            if file is None:
                return
            self._file(file)
            live.number, live.offset = live.number + 1, 0
            self._note(always=file["size"] >= PIECE)

    def _file(self, file: Row) -> None:
        live = self._live
        target = receiving.target(self._receiver, self._row["path"], file["destination"])
        if os.path.isdir(target):
            raise _Failed("{}: a folder is there".format(file["destination"]))
        try:
            stream = open(file["real"], "rb")  # noqa: SIM115 - its own error is told otherwise
        except OSError as error:
            raise _Failed("{}: {}".format(file["source"], error.strerror)) from None
        with stream, Incoming(self._receiver, self._backend, self._row["id"], live.number) as incoming:
            self._take_up(incoming, file)
            _same(file, stream)
            stream.seek(live.offset)
            while live.offset < file["size"]:
                self._piece(stream, incoming, file)
            _same(file, stream)
            incoming.finish(target)

    def _take_up(self, incoming: Incoming, file: Row) -> None:
        """Go back to what the receiver really has of a file; what it has beyond was never acknowledged."""
        live = self._live
        have = incoming.size
        if have < live.offset:
            start = have // BLOCK * BLOCK
            lost = blocks(live.offset) - blocks(start)
            live.blocks_acked -= lost
            live.retransmitted += lost
            live.offset = start
        if have > live.offset:
            incoming.cut(live.offset)
        # What was sent and not acknowledged is sent again.
        live.retransmitted += max(0, live.blocks_sent - live.retransmitted - live.blocks_acked)

    def _piece(self, stream: BinaryIO, incoming: Incoming, file: Row) -> None:
        live = self._live
        rate = self._rate()
        size = PIECE if not rate else min(PIECE, max(1, rate // 20 // BLOCK) * BLOCK)
        self._obey()
        size = min(size, file["size"] - live.offset)
        view = self._buffer[:size]
        got = stream.readinto(view)  # type: ignore[attr-defined]
        if got != size:
            raise _Failed("{}: the file changed since the manifest was made".format(file["source"]))
        live.sent(size)
        if rate:
            self._due = max(self._due, time.monotonic() - 0.05) + size / rate
            if live.control.wait(max(0.0, self._due - time.monotonic())):
                raise _Interrupted
        incoming.write(live.offset, view)
        live.acked(size)
        self._note()

    def _rate(self) -> int:
        """Bytes per second, 0 for as fast as it goes."""
        backend = self._backend
        found = backend.site.rate
        row = backend.database.find("destinations", id=self._row["destination"])
        limits = backend.setting("bandwidth_limits") or {}
        for kilobits in (row["rate"] if row is not None else None, limits.get("outgoing")):
            if isinstance(kilobits, (int, float)) and kilobits > 0:
                rate = max(1, int(kilobits * 125))
                found = min(found, rate) if found else rate
        return found

    def _obey(self) -> None:
        if self._live.control.is_set():
            raise _Interrupted

    def _note(self, always: bool = False) -> None:
        now = time.monotonic()
        if always or now - self._noted >= NOTE:
            self._noted = now
            transfers.store(self._backend, self._live)
            receiving.heard(self._receiver, self._backend, self._row["id"])


def _queue(backend: Backend) -> List[Row]:
    """The transfers that are to be sent, in order."""
    return backend.database.select("transfers", "priority, id", status="pending", deleted=0)


def _begun(backend: Backend, id: int) -> Optional[Live]:
    """Put a transfer to work; None when a call has decided otherwise meanwhile."""
    with backend.lock:
        row = backend.database.find("transfers", id=id, deleted=0)
        if row is None or row["status"] != "pending" or backend.stopping.is_set():
            return None
        counters = pick(row, "number", "offset", "blocks_sent", "blocks_acked", "retransmitted", "bytes_sent")
        live = backend.live[id] = Live(id, **counters)
        backend.database.update("transfers", id, started=row["started"] or backend.micros())
        transfers.put(backend, id, "sending")
        return live


def _same(file: Row, stream: BinaryIO) -> None:
    """Check that a file is still the one that the manifest names."""
    state = os.fstat(stream.fileno())
    if (state.st_size, state.st_mtime_ns) != (file["size"], file["changed"]):
        raise _Failed("{}: the file changed since the manifest was made".format(file["source"]))
