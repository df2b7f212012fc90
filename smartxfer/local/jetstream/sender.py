"""The sending side: a thread that copies files to receivers, one transfer after another.

Source: JetStream protocol, section 9.6.
"""

import logging
import os
import threading
import time
from typing import BinaryIO, List, Optional, Set, Tuple

from smartxfer.local.database import Row, select_columns
from smartxfer.local.jetstream import destinations, manifests, registry, staging, transfers
from smartxfer.local.jetstream.backend import Backend
from smartxfer.local.jetstream.progress import BLOCK, LiveProgress, blocks
from smartxfer.local.jetstream.staging import IncomingFile, Unreachable
from smartxfer.local.jsonrpc import RpcError

log = logging.getLogger("smartxfer.local")

#: States of ended transfers and their names at the receiver; the others are interruptions.
_RECEIVED = {"complete": "complete", "error": "error", "deleted": "error"}
#: Largest piece in bytes.
PIECE = 256 << 10
#: Seconds between two saves of the progress.
SAVE_INTERVAL = 0.2
#: Seconds until the next attempt to reach a destination.
RETRY_INTERVAL = 0.5


class _Failed(Exception):
    """A transfer failed, with the reason."""


class _Interrupted(Exception):
    """A transfer was suspended, failed or deleted, or the server ends."""


class Sender:
    """Copies the pending transfers, lowest priority number first, then the oldest.

    :param backend: the sending server.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._thread = threading.Thread(target=self._run, name=f"local-{backend.title}-copy", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the end of the thread."""
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
            chosen = self._next_transfer(waiting)
            if chosen is not None:
                self._send(*chosen)
            else:
                with backend.lock:
                    backend.changed.wait(RETRY_INTERVAL)

    def _next_transfer(self, waiting: List[Row]) -> Optional[Tuple[Row, Row, Backend]]:
        """Return the first transfer with a reachable destination; mark the others as unreachable."""
        backend = self._backend
        unreachable: Set[int] = set()
        for row in waiting:
            destination = backend.database.find("destinations", id=row["destination"])
            if destination is None or destination["id"] in unreachable or backend.stopping.is_set():
                continue
            receiver = registry.find(destination["address"], destination["port"])
            try:
                why = (
                    "no server answers there"
                    if receiver is None
                    else staging.rejection_reason(receiver, backend)
                )
            except Unreachable as error:
                why = str(error)
            if receiver is not None and not why:
                return row, destination, receiver
            unreachable.add(destination["id"])
            destinations.mark_unreachable(backend, destination["id"], why)
        return None

    def _send(self, row: Row, destination: Row, receiver: Backend) -> None:
        """Copy one transfer until it is complete or interrupted."""
        backend, id = self._backend, row["id"]
        live = _mark_started(backend, id)
        if live is None:
            return
        destinations.mark_reached(backend, destination, receiver)
        status, error = "complete", None
        try:
            staging.begin(receiver, backend, id, row["path"], row["total_bytes"])
            OutgoingTransfer(backend, receiver, row, live).run()
        except _Interrupted:
            status = ""
        except Unreachable as gone:
            status = "pending"
            destinations.mark_unreachable(backend, destination["id"], str(gone))
        except _Failed as failed:
            status, error = "error", str(failed)
        except RpcError as refused:
            status, error = "error", refused.message
        except OSError as failed_file:
            status, error = "error", str(failed_file.strerror)
        except Exception as bug:
            log.exception("transfer %s crashed", id)
            status, error = "error", f"the server failed: {bug}"
        now = self._finish(live, status, error)
        staging.end(receiver, backend, id, _RECEIVED.get(now, "receiving"))
        if now in _RECEIVED:
            staging.discard(receiver, backend, id)
        with backend.lock:
            backend.live.pop(id, None)
            backend.changed.notify_all()

    def _finish(self, live: LiveProgress, status: str, error: Optional[str]) -> str:
        """Store the final state of a transfer, unless a call has changed it.

        :return: its state.
        """
        backend = self._backend
        with backend.lock:
            transfers.save_progress(backend, live)
            row = backend.database.find("transfers", id=live.id)
            if row is None or row["deleted"]:
                return "deleted"
            if row["status"] != "sending" or not status:
                return str(row["status"])
            transfers.set_status(backend, live.id, status, error)
            if status in ("complete", "error"):
                manifests.clean(backend)
            return status


class OutgoingTransfer:
    """One run of a transfer.

    :param backend: the sender.
    :param receiver: the receiver.
    :param row: the transfer.
    :param live: its counters.
    """

    def __init__(self, backend: Backend, receiver: Backend, row: Row, live: LiveProgress) -> None:
        self._backend, self._receiver, self._row, self._live = backend, receiver, row, live
        self._saved_at = time.monotonic()
        self._next_send = time.monotonic()
        self._buffer = memoryview(bytearray(PIECE))

    def run(self) -> None:
        """Send the remaining files."""
        live = self._live
        while True:
            self._check_control()
            manifest = self._row["manifest"]
            file = self._backend.database.find("manifest_files", manifest=manifest, number=live.number)
            if file is None:
                return
            self._file(file)
            live.number, live.offset = live.number + 1, 0
            self._save_progress(always=file["size"] >= PIECE)

    def _file(self, file: Row) -> None:
        live = self._live
        target = staging.target_path(self._receiver, self._row["path"], file["destination"])
        if os.path.isdir(target):
            raise _Failed("{}: a folder is there".format(file["destination"]))
        try:
            stream = open(file["real"], "rb")  # noqa: SIM115 - closed below; OSError is converted
        except OSError as error:
            raise _Failed("{}: {}".format(file["source"], error.strerror)) from None
        with stream, IncomingFile(self._receiver, self._backend, self._row["id"], live.number) as incoming:
            self._resume(incoming, file)
            _is_unchanged(file, stream)
            stream.seek(live.offset)
            while live.offset < file["size"]:
                self._piece(stream, incoming, file)
            _is_unchanged(file, stream)
            incoming.move_to(target)

    def _resume(self, incoming: IncomingFile, file: Row) -> None:
        """Continue at the acknowledged offset of a file; truncate what the receiver has beyond."""
        live = self._live
        have = incoming.size
        if have < live.offset:
            start = have // BLOCK * BLOCK
            unacknowledged = blocks(live.offset) - blocks(start)
            live.blocks_acked -= unacknowledged
            live.retransmitted += unacknowledged
            live.offset = start
        if have > live.offset:
            incoming.truncate(live.offset)
        # Unacknowledged bytes are sent again.
        live.retransmitted += max(0, live.blocks_sent - live.retransmitted - live.blocks_acked)

    def _piece(self, stream: BinaryIO, incoming: IncomingFile, file: Row) -> None:
        live = self._live
        rate = self._limit_rate()
        size = PIECE if not rate else min(PIECE, max(1, rate // 20 // BLOCK) * BLOCK)
        self._check_control()
        size = min(size, file["size"] - live.offset)
        view = self._buffer[:size]
        length = stream.readinto(view)  # type: ignore[attr-defined]
        if length != size:
            raise _Failed("{}: the file changed since the manifest was made".format(file["source"]))
        live.sent(size)
        if rate:
            self._next_send = max(self._next_send, time.monotonic() - 0.05) + size / rate
            if live.control.wait(max(0.0, self._next_send - time.monotonic())):
                raise _Interrupted
        incoming.write(live.offset, view)
        live.acked(size)
        self._save_progress()

    def _limit_rate(self) -> int:
        """Return the rate limit in bytes per second, 0 for none."""
        backend = self._backend
        limit = backend.site.rate
        row = backend.database.find("destinations", id=self._row["destination"])
        limits = backend.setting("bandwidth_limits") or {}
        for kilobits in (row["rate"] if row is not None else None, limits.get("outgoing")):
            if isinstance(kilobits, (int, float)) and kilobits > 0:
                rate = max(1, int(kilobits * 125))
                limit = min(limit, rate) if limit else rate
        return limit

    def _check_control(self) -> None:
        if self._live.control.is_set():
            raise _Interrupted

    def _save_progress(self, always: bool = False) -> None:
        now = time.monotonic()
        if always or now - self._saved_at >= SAVE_INTERVAL:
            self._saved_at = now
            transfers.save_progress(self._backend, self._live)
            staging.record_activity(self._receiver, self._backend, self._row["id"])


def _queue(backend: Backend) -> List[Row]:
    """Return the transfers to send, in order."""
    return backend.database.select("transfers", "priority, id", status="pending", deleted=0)


def _mark_started(backend: Backend, id: int) -> Optional[LiveProgress]:
    """Set a transfer to sending; return None if a call has changed its state."""
    with backend.lock:
        row = backend.database.find("transfers", id=id, deleted=0)
        if row is None or row["status"] != "pending" or backend.stopping.is_set():
            return None
        counters = select_columns(
            row, "number", "offset", "blocks_sent", "blocks_acked", "retransmitted", "bytes_sent"
        )
        live = backend.live[id] = LiveProgress(id, **counters)
        backend.database.update("transfers", id, started=row["started"] or backend.now_micros())
        transfers.set_status(backend, id, "sending")
        return live


def _is_unchanged(file: Row, stream: BinaryIO) -> None:
    """Return True if a file is unchanged since the manifest was made."""
    state = os.fstat(stream.fileno())
    if (state.st_size, state.st_mtime_ns) != (file["size"], file["changed"]):
        raise _Failed("{}: the file changed since the manifest was made".format(file["source"]))
