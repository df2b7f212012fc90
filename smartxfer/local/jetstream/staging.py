"""The receiving side of a transfer: staged files, target paths and known senders.

Source: JetStream protocol, sections 5.3, 6 and 9.6.
"""

import errno
import os
import shutil
from typing import Optional

from smartxfer.local.jetstream.backend import Backend
from smartxfer.local.jetstream.paths import join_segments, resolve_path, segments
from smartxfer.local.object_store import write_all

#: Time for which a finished transfer is listed, in microseconds.
MAX_LISTED = 60_000_000


class Unreachable(Exception):
    """The receiver does not accept files, or has ended."""


def rejection_reason(receiver: Backend, sender: Backend) -> str:
    """Return why a receiver rejects a sender, or an empty string.

    :raises Unreachable: the receiver has ended.
    """
    with receiver.lock:
        _check_running(receiver)
        if not receiver.licensed:
            return "the receiver has no licence"
        known = receiver.database.find("clients", public_key=sender.public_key) is not None
        if receiver.setting("only_authorized") and not known:
            return "the receiver does not authorize this sender"
    return ""


def target_path(receiver: Backend, folder: str, path: str) -> str:
    """Return the path of a file on the receiver's disk.

    :raises RpcError: the path leads out of its root.
    """
    shown_path = f"{folder}/{path}" if folder else path
    return resolve_path(receiver.root, segments(shown_path), shown_path)


def begin(receiver: Backend, sender: Backend, transfer: int, path: str, size: int) -> None:
    """Record an incoming transfer."""
    with receiver.lock:
        _check_running(receiver)
        known = (sender.server_uid, transfer)
        database = receiver.database
        if database.find("received", sender=sender.server_uid, transfer=transfer) is None:
            database.insert(
                "received", id=receiver.new_id(), sender=sender.server_uid, transfer=transfer,
                path=join_segments(path), status="receiving", total_size=size, source_ip=sender.host,
                source_port=sender.port, public_key=sender.public_key,
            )
        database.execute("UPDATE received SET status='receiving' WHERE sender=? AND transfer=?", *known)


def record_activity(receiver: Backend, sender: Backend, transfer: int) -> None:
    """Record activity of a transfer."""
    with receiver.lock:
        _check_running(receiver)
        now = receiver.now_micros()
        sql = "UPDATE received SET last_recv=?, last_send=? WHERE sender=? AND transfer=?"
        receiver.database.execute(sql, now, now, sender.server_uid, transfer)


def end(receiver: Backend, sender: Backend, transfer: int, status: str) -> None:
    """Record the end or interruption of a transfer.

    :param status: ``"complete"``, ``"error"``, or ``"receiving"`` for an interruption.
    """
    with receiver.lock:
        if receiver.stopping.is_set():
            return
        now = receiver.now_micros()
        receiver.database.execute(
            """UPDATE received SET status=?, last_recv=coalesce(last_recv, ?),
                last_error=coalesce(?, last_error) WHERE sender=? AND transfer=?""",
            status, now, None if status == "complete" else now, sender.server_uid, transfer,
        )  # fmt: skip
        if status == "complete":
            receiver.log("recv.transferComplete", {"sourceIP": sender.host, "sourcePort": sender.port})
        receiver.changed.notify_all()


def discard(receiver: Backend, sender: Backend, transfer: int) -> None:
    """Delete the staged files of a transfer."""
    if receiver.stopping.is_set():
        return
    start = f"{sender.server_uid}-{transfer}-"
    for name in os.listdir(receiver.staging):
        if name.startswith(start):
            try:
                os.unlink(os.path.join(receiver.staging, name))
            except FileNotFoundError:
                pass  # Another thread has deleted it.


class IncomingFile:
    """One incoming file.

    :param receiver: the receiving server.
    :param sender: the sending server.
    :param transfer: id of the transfer, at the sender.
    :param number: index of the file in the transfer.
    """

    def __init__(self, receiver: Backend, sender: Backend, transfer: int, number: int) -> None:
        self._receiver, self._key = receiver, sender.public_key
        _check_running(receiver)
        self.path = os.path.join(receiver.staging, f"{sender.server_uid}-{transfer}-{number}")
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        self._descriptor: Optional[int] = os.open(self.path, flags, 0o644)

    def __enter__(self) -> "IncomingFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the staged file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def size(self) -> int:
        """Number of staged bytes."""
        assert self._descriptor is not None
        return os.fstat(self._descriptor).st_size

    def truncate(self, size: int) -> None:
        """Truncate the staged file."""
        assert self._descriptor is not None
        os.truncate(self.path, size)

    def write(self, offset: int, piece: memoryview) -> None:
        """Write a piece.

        :raises Unreachable: the receiver has ended.
        """
        _check_running(self._receiver)
        assert self._descriptor is not None
        self._receiver.receive_rates.add(self._key, len(piece))
        write_all(self._descriptor, piece, offset)

    def move_to(self, target: str) -> None:
        """Move the complete file to its target atomically.

        :param target: path on disk.
        """
        _check_running(self._receiver)
        self.close()
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            os.replace(self.path, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            beside = f"{target}.{os.path.basename(self.path)}.part"
            shutil.copyfile(self.path, beside)
            os.replace(beside, target)
            os.unlink(self.path)


def _check_running(receiver: Backend) -> None:
    if receiver.stopping.is_set():
        raise Unreachable(f"the server at port {receiver.port} has ended")
