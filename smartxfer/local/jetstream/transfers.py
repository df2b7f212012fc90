"""Transfers: rows, states and serialization.

Source: JetStream protocol, sections 4, 5.2, 6, 6.1 and 9.6.
"""

from typing import Any, Dict, Optional

from smartxfer.local.jetstream import manifests, registry, staging
from smartxfer.local.jetstream.call import Backend, Call, Row, RpcError, not_found, select_columns
from smartxfer.local.jetstream.progress import BLOCK, LiveProgress
from smartxfer.local.jetstream.tokens import count_download

#: Default priority of a transfer; lower numbers are sent first.
PRIORITY = 100
#: Longest wait of a call for the sender thread, in seconds.
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
        total = backend.database.fetchone(
            "SELECT total((size + ?) / ?) AS blocks FROM manifest_files WHERE manifest=?",
            BLOCK - 1, BLOCK, manifest["id"],
        )  # fmt: skip
        now = backend.now_micros()
        row = call.insert(
            "transfer", destination=destination["id"], manifest=manifest["id"],
            path=call.text("destinationPath"), priority=call.integer("priority", PRIORITY, -(1 << 31)),
            checkpoint=call.integer("checkpointFrequencySeconds"), requested=now, queued=now,
            total_blocks=int(total["blocks"]) if total is not None else 0, total_bytes=manifest["total_size"],
        )
        _notify_changed(backend, row["id"])
        return serialize(call, row)


def wait(call: Call) -> Dict[str, Any]:
    """``send.waitForTransfer``: the transfer once it is not processed, or its state after the timeout."""
    id = call.find("transfer")["id"]

    def finished() -> bool:
        row = call.lookup("transfer", id)
        return row is None or row["status"] not in ("pending", "sending")

    call.backend.wait(finished, call.seconds("timeoutSeconds"))
    return serialize(call, call.find("transfer"))


def suspend(call: Call) -> None:
    """``send.suspendTransfer``.

    :raises RpcError: InvalidState, it is not pending and not being sent.
    """
    backend = call.backend
    with backend.lock:
        row = call.owned("transfer")
        if row["status"] not in ("pending", "sending"):
            raise _is_ended(row)
        set_status(backend, row["id"], "suspended")
        _interrupt(backend, row["id"])


def resume(call: Call) -> None:
    """``send.resumeTransfer``: continue after the last acknowledged block.

    :raises RpcError: InvalidState, it is not suspended; NotLicensed.
    """
    backend = call.backend
    with backend.lock:
        row = call.owned("transfer")
        if row["status"] != "suspended":
            raise _is_ended(row, ", not suspended")
        if not backend.licensed:
            raise RpcError("NotLicensed", "the server has no licence: it cannot send")
        backend.database.update("transfers", row["id"], queued=backend.now_micros())
        set_status(backend, row["id"], "pending")


def fail(call: Call) -> None:
    """``send.failTransfer``: end a transfer with an error.

    :raises RpcError: InvalidState, it has ended.
    """
    backend = call.backend
    with backend.lock:
        row = call.owned("transfer")
        if row["status"] in ("complete", "error"):
            raise _is_ended(row)
        set_status(backend, row["id"], "error", call.text("errorMessage"))
        _interrupt(backend, row["id"])
        manifests.clean(backend)
    _abandon(backend, row)


def delete(call: Call) -> None:
    """``send.deleteTransfer``: stop it if it is running."""
    backend = call.backend
    with backend.lock:
        row = call.owned("transfer")
        backend.database.update("transfers", row["id"], deleted=1)
        backend.log("transferDeleted", {"transferId": str(row["id"])}, row["owner"])
        _interrupt(backend, row["id"])
        manifests.clean(backend)
        backend.changed.notify_all()
    _abandon(backend, row)


def set_status(backend: Backend, id: int, status: str, error: Optional[str] = None) -> None:
    """Set the state of a transfer, and notify waiting threads."""
    with backend.lock:
        ended = backend.now_micros() if status in ("complete", "error") else None
        backend.database.update("transfers", id, status=status, error=error, ended=ended)
        _notify_changed(backend, id)


def save_progress(backend: Backend, live: LiveProgress) -> None:
    """Store the progress of a transfer."""
    names = ("blocks_sent", "blocks_acked", "retransmitted", "bytes_sent", "number", "offset")
    backend.database.update("transfers", live.id, **{name: getattr(live, name) for name in names})


def resume_after_restart(backend: Backend) -> None:
    """Set the state of transfers that were running when the server ended."""
    after = "suspended" if backend.site.after_restart == "suspend" else "pending"
    for row in backend.database.select("transfers", "id", status="sending", deleted=0):
        set_status(backend, row["id"], after)


def serialize(call: Call, row: Row) -> Dict[str, Any]:
    """Return a transfer as the caller sees it, with the current counters."""
    backend, status = call.backend, row["status"]
    live = backend.live.get(row["id"])
    sent, acked, again, bytes_sent = (
        getattr(live, name) if live else row[name]
        for name in ("blocks_sent", "blocks_acked", "retransmitted", "bytes_sent")
    )
    return {
        "transferId": str(row["id"]), "destinationId": str(row["destination"]),
        "manifestId": str(row["manifest"]), "destinationPath": row["path"], "status": status,
        "processing": status in ("pending", "sending"),
        **select_columns(row, errorMessage="error", priority="priority"), "blockSize": BLOCK,
        "blocksSent": sent, "blocksAcked": acked, "blocksRetransmitted": again,
        **select_columns(row, totalBlocks="total_blocks", totalBytes="total_bytes"),
        "bytesSent": bytes_sent, "bytesRecv": 0, "packetsSent": sent, "packetsRecv": acked,
        **select_columns(row, checkpointFrequencySeconds="checkpoint", requestTime="requested"),
        **select_columns(row, queueTime="queued", startTime="started", endTime="ended"),
        "snapshotTime": row["ended"] or backend.now_micros(), **call.serialize_owner(row),
    }


def _is_ended(row: Row, more: str = "") -> RpcError:
    return RpcError("InvalidState", "transfer {} is {}{}".format(row["id"], row["status"], more))


def _notify_changed(backend: Backend, id: int) -> None:
    row = backend.database.find("transfers", id=id)
    if row is None:
        raise not_found("transfer", id)
    details = {"transferId": str(id), "status": row["status"], "errorMessage": row["error"]}
    backend.log("transferUpdated", details, row["owner"])
    backend.changed.notify_all()


def _abandon(backend: Backend, row: Row) -> None:
    """Discard the receiver's files of an ended transfer; the caller must not hold a lock."""
    destination = backend.database.find("destinations", id=row["destination"])
    if destination is None or row["status"] in ("complete", "error"):
        return
    receiver = registry.find(destination["address"], destination["port"])
    if receiver is not None:
        staging.end(receiver, backend, row["id"], "error")
        staging.discard(receiver, backend, row["id"])


def _interrupt(backend: Backend, id: int) -> None:
    """Stop the copying of a transfer, and wait for it; the caller holds the lock."""
    live = backend.live.get(id)
    if live is not None:
        live.control.set()
        backend.changed.wait_for(lambda: backend.live.get(id) is not live, _NOTICE)
