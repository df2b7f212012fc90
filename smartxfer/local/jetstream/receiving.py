"""The receiving side of a transfer: staged files, their places, and what is known of senders.

Source: JetStream protocol, sections 5.3, 6 and 9.6.
"""

import errno
import os
import shutil
from typing import Optional

from smartxfer.local.jetstream.backend import Backend
from smartxfer.local.jetstream.paths import joined, place, segments
from smartxfer.local.objects import write_all

#: Microseconds for which a finished transfer is listed.
LISTED = 60_000_000


class Unreachable(Exception):
    """The receiver does not take anything in (any more)."""


def refusal(receiver: Backend, sender: Backend) -> str:
    """Why a receiver takes nothing in from a sender; empty when it does.

    :raises Unreachable: it has ended meanwhile.
    """
    with receiver.lock:
        _alive(receiver)
        if not receiver.licensed:
            return "the receiver has no licence"
        known = receiver.database.find("clients", public_key=sender.public_key) is not None
        if receiver.setting("only_authorized") and not known:
            return "the receiver does not authorize this sender"
    return ""


def target(receiver: Backend, folder: str, path: str) -> str:
    """Where a file belongs on the receiver's disk.

    :raises RpcError: the path leads out of its root.
    """
    shown = f"{folder}/{path}" if folder else path
    return place(receiver.root, segments(shown), shown)


def begin(receiver: Backend, sender: Backend, transfer: int, path: str, size: int) -> None:
    """Note that a transfer comes in."""
    with receiver.lock:
        _alive(receiver)
        known = (sender.server_uid, transfer)
        database = receiver.database
        if database.find("received", sender=sender.server_uid, transfer=transfer) is None:
            database.insert(
                "received",
                id=receiver.new_id(),
                sender=sender.server_uid,
                transfer=transfer,
                path=joined(path),
                status="receiving",
                total_size=size,
                source_ip=sender.host,
                source_port=sender.port,
                public_key=sender.public_key,
            )
        database.run("UPDATE received SET status='receiving' WHERE sender=? AND transfer=?", *known)


def heard(receiver: Backend, sender: Backend, transfer: int) -> None:
    """Note that something of a transfer arrived."""
    with receiver.lock:
        _alive(receiver)
        now = receiver.micros()
        sql = "UPDATE received SET last_recv=?, last_send=? WHERE sender=? AND transfer=?"
        receiver.database.run(sql, now, now, sender.server_uid, transfer)


def end(receiver: Backend, sender: Backend, transfer: int, status: str) -> None:
    """Note that a transfer ended, or was interrupted.

    :param status: ``"complete"``, ``"error"``, or ``"receiving"`` for an interruption.
    """
    with receiver.lock:
        if receiver.stopping.is_set():
            return
        now = receiver.micros()
        receiver.database.run(
            """UPDATE received SET status=?, last_recv=coalesce(last_recv, ?),
                last_error=coalesce(?, last_error) WHERE sender=? AND transfer=?""",
            status, now, None if status == "complete" else now, sender.server_uid, transfer,
        )  # fmt: skip
        if status == "complete":
            receiver.log("recv.transferComplete", {"sourceIP": sender.host, "sourcePort": sender.port})
        receiver.changed.notify_all()


def discard(receiver: Backend, sender: Backend, transfer: int) -> None:
    """Throw away what was staged of a transfer."""
    if receiver.stopping.is_set():
        return
    start = f"{sender.server_uid}-{transfer}-"
    for name in os.listdir(receiver.staging):
        if name.startswith(start):
            try:
                os.unlink(os.path.join(receiver.staging, name))
            except FileNotFoundError:
                pass  # Somebody else threw it away.


class Incoming:
    """One file on its way in.

    :param receiver: where it goes.
    :param sender: where it comes from.
    :param transfer: id of the transfer, at the sender.
    :param number: which file of it.
    """

    def __init__(self, receiver: Backend, sender: Backend, transfer: int, number: int) -> None:
        self._receiver, self._key = receiver, sender.public_key
        _alive(receiver)
        self.path = os.path.join(receiver.staging, f"{sender.server_uid}-{transfer}-{number}")
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        self._descriptor: Optional[int] = os.open(self.path, flags, 0o644)

    def __enter__(self) -> "Incoming":
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
        """Bytes that are staged."""
        assert self._descriptor is not None
        return os.fstat(self._descriptor).st_size

    def cut(self, size: int) -> None:
        """Forget what is staged beyond a size."""
        assert self._descriptor is not None
        os.truncate(self.path, size)

    def write(self, offset: int, piece: memoryview) -> None:
        """Take in a piece.

        :raises Unreachable: the receiver has ended.
        """
        _alive(self._receiver)
        assert self._descriptor is not None
        self._receiver.arrivals.add(self._key, len(piece))
        write_all(self._descriptor, piece, offset)

    def finish(self, target: str) -> None:
        """Put the whole file into its place, in one step.

        :param target: the place on disk.
        """
        _alive(self._receiver)
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


def _alive(receiver: Backend) -> None:
    if receiver.stopping.is_set():
        raise Unreachable(f"the server at port {receiver.port} has ended")
