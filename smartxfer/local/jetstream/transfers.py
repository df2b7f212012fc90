"""Transfers: their rows, their states, and how callers see them.

Source: JetStream protocol, sections 4, 5.2, 6, 6.1 and 9.6.
"""

from typing import Any, Dict, Optional

from smartxfer.local.jetstream import manifests, receiving, registry
from smartxfer.local.jetstream.call import Backend, Call, Row, RpcError, not_found, pick
from smartxfer.local.jetstream.progress import BLOCK, Live
from smartxfer.local.jetstream.tokens import count_download

#: Priority of a transfer that is given none; lower ones go first.
PRIORITY = 100
#: Seconds that a call waits until the copying has noticed it.
_NOTICE = 5.0


def create(call: Call) -> Dict[str, Any]:
    """``send.createTransfer``: send the files of a manifest to a destination.

    :raises RpcError: NotLicensed; NotFound; InvalidState, the manifest is not complete;
        AuthenticationFailed, the token's downloads are used up.
    """
    backend = call.backend
    if not backend.licensed:
        raise RpcError("NotLicensed", "the server has no licence: it cannot send")
    with backend.lock, backend.database.transaction():
        destination, manifest = call.find("destination"), call.find("manifest")
        if manifest["status"] != "complete":
            raise RpcError("InvalidState", "manifest {} is not complete".format(manifest["id"]))
        count_download(call)
        total = backend.database.row(
            "SELECT total((size + ?) / ?) AS blocks FROM manifest_files WHERE manifest=?",
            BLOCK - 1, BLOCK, manifest["id"],
        )  # fmt: skip
        now = backend.micros()
        row = call.insert(
            "transfer",
            destination=destination["id"],
            manifest=manifest["id"],
            path=call.text("destinationPath"),
            priority=call.whole("priority", PRIORITY, -(1 << 31)),
            checkpoint=call.whole("checkpointFrequencySeconds"),
            requested=now,
            queued=now,
            total_blocks=int(total["blocks"]) if total is not None else 0,
            total_bytes=manifest["total_size"],
        )
        _changed(backend, row["id"])
        return shown(call, row)


def wait(call: Call) -> Dict[str, Any]:
    """``send.waitForTransfer``: the transfer once it is not processed, or as it is when the time is up."""
    id = call.find("transfer")["id"]

    def finished() -> bool:
        row = call.look("transfer", id)
        return row is None or row["status"] not in ("pending", "sending")

    call.backend.wait(finished, call.seconds("timeoutSeconds"))
    return shown(call, call.find("transfer"))


def suspend(call: Call) -> None:
    """``send.suspendTransfer``.

    :raises RpcError: InvalidState, it is not pending and not being sent.
    """
    backend = call.backend
    with backend.lock:
        row = call.own("transfer")
        if row["status"] not in ("pending", "sending"):
            raise _ended(row)
        put(backend, row["id"], "suspended")
        _interrupt(backend, row["id"])


def resume(call: Call) -> None:
    """``send.resumeTransfer``: go on where the last block arrived.

    :raises RpcError: InvalidState, it is not suspended; NotLicensed.
    """
    backend = call.backend
    with backend.lock:
        row = call.own("transfer")
        if row["status"] != "suspended":
            raise _ended(row, ", not suspended")
        if not backend.licensed:
            raise RpcError("NotLicensed", "the server has no licence: it cannot send")
        backend.database.update("transfers", row["id"], queued=backend.micros())
        put(backend, row["id"], "pending")


def fail(call: Call) -> None:
    """``send.failTransfer``: end a transfer with an error.

    :raises RpcError: InvalidState, it has ended.
    """
    backend = call.backend
    with backend.lock:
        row = call.own("transfer")
        if row["status"] in ("complete", "error"):
            raise _ended(row)
        put(backend, row["id"], "error", call.text("errorMessage"))
        _interrupt(backend, row["id"])
        manifests.clean(backend)
    _abandon(backend, row)


def delete(call: Call) -> None:
    """``send.deleteTransfer``: one that is under way ends."""
    backend = call.backend
    with backend.lock:
        row = call.own("transfer")
        backend.database.update("transfers", row["id"], deleted=1)
        backend.log("transferDeleted", {"transferId": str(row["id"])}, row["owner"])
        _interrupt(backend, row["id"])
        manifests.clean(backend)
        backend.changed.notify_all()
    _abandon(backend, row)


def put(backend: Backend, id: int, status: str, error: Optional[str] = None) -> None:
    """Put a transfer into a state, and tell those who wait."""
    with backend.lock:
        ended = backend.micros() if status in ("complete", "error") else None
        backend.database.update("transfers", id, status=status, error=error, ended=ended)
        _changed(backend, id)


def store(backend: Backend, live: Live) -> None:
    """Keep how far a transfer is."""
    names = ("blocks_sent", "blocks_acked", "retransmitted", "bytes_sent", "number", "offset")
    backend.database.update("transfers", live.id, **{name: getattr(live, name) for name in names})


def restore(backend: Backend) -> None:
    """Decide about transfers that were under way when the server ended."""
    after = "suspended" if backend.site.after_restart == "suspend" else "pending"
    for row in backend.database.select("transfers", "id", status="sending", deleted=0):
        put(backend, row["id"], after)


def shown(call: Call, row: Row) -> Dict[str, Any]:
    """A transfer as the caller sees it, with the counters of this moment."""
    backend, status = call.backend, row["status"]
    live = backend.live.get(row["id"])
    sent, acked, again, moved = (
        getattr(live, name) if live else row[name]
        for name in ("blocks_sent", "blocks_acked", "retransmitted", "bytes_sent")
    )
    return {
        "transferId": str(row["id"]),
        "destinationId": str(row["destination"]),
        "manifestId": str(row["manifest"]),
        "destinationPath": row["path"],
        "status": status,
        "processing": status in ("pending", "sending"),
        **pick(row, errorMessage="error", priority="priority"),
        "blockSize": BLOCK,
        "blocksSent": sent, "blocksAcked": acked, "blocksRetransmitted": again,
        **pick(row, totalBlocks="total_blocks", totalBytes="total_bytes"),
        "bytesSent": moved, "bytesRecv": 0, "packetsSent": sent, "packetsRecv": acked,
        **pick(row, checkpointFrequencySeconds="checkpoint", requestTime="requested", queueTime="queued"),
        **pick(row, startTime="started", endTime="ended"),
        "snapshotTime": row["ended"] or backend.micros(),
        **call.owner_shown(row),
    }


def _ended(row: Row, more: str = "") -> RpcError:
    return RpcError("InvalidState", "transfer {} is {}{}".format(row["id"], row["status"], more))


def _changed(backend: Backend, id: int) -> None:
    row = backend.database.find("transfers", id=id)
    if row is None:
        raise not_found("transfer", id)
    details = {"transferId": str(id), "status": row["status"], "errorMessage": row["error"]}
    backend.log("transferUpdated", details, row["owner"])
    backend.changed.notify_all()


def _abandon(backend: Backend, row: Row) -> None:
    """Let the receiver forget what it has of a transfer that ends; the caller holds no lock."""
    destination = backend.database.find("destinations", id=row["destination"])
    if destination is None or row["status"] in ("complete", "error"):
        return
    receiver = registry.find(destination["address"], destination["port"])
    if receiver is not None:
        receiving.end(receiver, backend, row["id"], "error")
        receiving.discard(receiver, backend, row["id"])


def _interrupt(backend: Backend, id: int) -> None:
    """Stop the copying of a transfer, and wait until it has; the caller holds the lock."""
    live = backend.live.get(id)
    if live is not None:
        live.control.set()
        backend.changed.wait_for(lambda: backend.live.get(id) is not live, _NOTICE)
