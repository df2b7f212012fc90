"""JetStream demo: a server sends files to another server, which sends them back, and a comparison."""

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

from smartxfer.demo.files import DemoFiles, find_differences
from smartxfer.demo.table import Row
from smartxfer.errors import Cancelled, Conflict
from smartxfer.jetstream import API, JetStream, Transfer

if TYPE_CHECKING:
    from smartxfer.local import LocalServer

__all__ = ["run_jetstream_demo"]

_CREATE_TRANSFER_REQUEST = "POST /jsonrpc/send.createTransfer"
#: Smaller transfers are not suspended.
_MIN_SUSPEND_BYTES = 64 << 10
#: Directory of the files on the servers, and directory of the returned files.
_SEND_DIRECTORY, _RETURN_DIRECTORY = "demo", "back"

StatusCallback = Callable[[str], None]


def run_jetstream_demo(server: "LocalServer", demo_files: DemoFiles, on_status: StatusCallback) -> Row:
    """Send the files from one server to another and back, and compare them.

    JetStream clients do not send file content, so the files are first copied into the first server's
    directory.

    :param server: running server; faults are planned in addition to existing ones.
    :param on_status: called with one line of text about each step.
    :raises SmartxferError: a transfer failed.
    """
    first, second = server.jetstream, server.jetstream_peer
    _copy_to_server(demo_files, Path(first.root) / _SEND_DIRECTORY)
    with _create_api(first) as first_api, _create_api(second) as second_api:
        on_status(
            f"JetStream: sending {len(demo_files.sources)} files, {demo_files.bytes:,} bytes, "
            "from one server to another"
        )
        up_started = time.monotonic()
        resumed, suspended = 0, None
        if demo_files.bytes >= _MIN_SUSPEND_BYTES:
            suspended = _suspend_transfer(first_api, first, second, demo_files.bytes)
        if suspended is not None:
            resumed = suspended.bytes_acked
            on_status(
                f"JetStream: suspended on purpose at {suspended.fraction:.0%}; the same call resumes it"
            )
        first_api.send_files(f"/{_SEND_DIRECTORY}", (second.host, second.port), progress="JetStream up")
        up_ended = time.monotonic()
        on_status("JetStream: the other server sends the files back")
        server.fault("jetstream_peer", _CREATE_TRANSFER_REQUEST, "lose-answer")
        on_status("JetStream: the connection breaks once on purpose, before the response to createTransfer")
        down_started = time.monotonic()
        second_api.send_files(
            f"/{_SEND_DIRECTORY}",
            (first.host, first.port),
            into=f"/{_RETURN_DIRECTORY}",
            progress="JetStream down",
        )
        down_ended = time.monotonic()
        call_count, transfer_count = (
            second.count(_CREATE_TRANSFER_REQUEST),
            len(second_api.send.getTransfers()),
        )
        on_status(
            f"JetStream: createTransfer was called {call_count} times with the same id; "
            f"transfers created: {transfer_count}"
        )
    for path in (Path(first.root) / _RETURN_DIRECTORY / _SEND_DIRECTORY).iterdir():
        shutil.move(str(path), str(demo_files.output_directory))
    return Row(
        service="JetStream",
        files=len(demo_files.sources),
        bytes=demo_files.bytes,
        up_seconds=up_ended - up_started,
        down_seconds=down_ended - down_started,
        retries=call_count - transfer_count,
        resumed=resumed,
        differing=find_differences(demo_files),
    )


def _copy_to_server(demo_files: DemoFiles, directory: Path) -> None:
    """Copy the files into a directory of the server."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, source in demo_files.sources.items():
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _create_api(site: Any) -> API:
    # An empty mapping of proxies: connections to the local server must not use a proxy.
    return JetStream().api(site.host, site.port, user=site.user, password=site.password, proxies={})


def _suspend_transfer(api: API, sender: Any, receiver: Any, total: int) -> Optional[Transfer]:
    """Start a transfer, cancel the wait, and suspend the transfer; return None if it was already complete."""
    sender.configure(rate=2 * total)  # slow enough to suspend the transfer before its end
    try:
        api.send_files(
            f"/{_SEND_DIRECTORY}",
            (receiver.host, receiver.port),
            progress="JetStream up",
            cancel=_CancelAtProgress(api, 0.25),
        )
    except Cancelled:
        [transfer] = api.send.getTransfers()
        try:
            api.send.suspendTransfer(transfer)
        except Conflict:
            return None
        return api.send.getTransfer(transfer)
    finally:
        sender.configure(rate=0)
    return None


class _CancelAtProgress:
    """Cancel object that is set when a fraction of a transfer has arrived."""

    def __init__(self, api: API, fraction: float) -> None:
        self._api = api
        self._fraction = fraction

    def is_set(self) -> bool:
        """Return True if the wait should be cancelled."""
        return any(transfer.fraction >= self._fraction for transfer in self._api.send.getTransfers())
