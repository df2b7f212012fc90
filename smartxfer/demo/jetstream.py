"""JetStream in the demo: one server sends its files to another, and that one sends them back; compared."""

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
#: Fewer bytes than these are not suspended on their way.
_MIN_SUSPEND_BYTES = 64 << 10
#: Where the files lie on the servers, and where they come back to.
_SEND_DIRECTORY, _RETURN_DIRECTORY = "demo", "back"

StatusCallback = Callable[[str], None]


def run_jetstream_demo(server: "LocalServer", demo_files: DemoFiles, on_status: StatusCallback) -> Row:
    """Have one server send the files to the other and that one send them back, and compare.

    A client of JetStream carries no bytes: the files are put where the first server sees them.

    :param server: running; faults are added to those that are planned.
    :param on_status: told in a line what happens.
    :raises SmartxferError: sending failed.
    """
    near, far = server.jetstream, server.jetstream_peer
    _copy_to_server(demo_files, Path(near.root) / _SEND_DIRECTORY)
    with _create_api(near) as api, _create_api(far) as peer:
        on_status(
            f"JetStream: sending {len(demo_files.sources)} files, {demo_files.bytes:,} bytes"
        )
        began = time.monotonic()
        half = (
            _suspend_transfer(api, near, far, demo_files.bytes)
            if demo_files.bytes >= _MIN_SUSPEND_BYTES
            else None
        )
        resumed = 0
        if half is not None:
            resumed = half.bytes_acked
            on_status(f"JetStream: suspended on purpose at {half.fraction:.0%}; the same call again goes on")
        api.send_files(f"/{_SEND_DIRECTORY}", (far.host, far.port), progress="JetStream up")
        sent = time.monotonic()
        on_status("JetStream: the other server sends the files back")
        server.fault("jetstream_peer", _CREATE_TRANSFER_REQUEST, "lose-answer")
        on_status("JetStream: the connection breaks once on purpose, before createTransfer is answered")
        began_down = time.monotonic()
        peer.send_files(
            f"/{_SEND_DIRECTORY}",
            (near.host, near.port),
            into=f"/{_RETURN_DIRECTORY}",
            progress="JetStream down",
        )
        done = time.monotonic()
        asked, made = far.count(_CREATE_TRANSFER_REQUEST), len(peer.send.getTransfers())
        on_status(
            f"JetStream: createTransfer was asked for {asked} times, with one id; transfers made: {made}"
        )
    for path in (Path(near.root) / _RETURN_DIRECTORY / _SEND_DIRECTORY).iterdir():
        shutil.move(str(path), str(demo_files.output_directory))
    return Row(
        service="JetStream",
        files=len(demo_files.sources),
        bytes=demo_files.bytes,
        up_seconds=sent - began,
        down_seconds=done - began_down,
        retries=asked - made,
        resumed=resumed,
        differing=find_differences(demo_files),
    )


def _copy_to_server(demo_files: DemoFiles, directory: Path) -> None:
    """Put the files where the server sees them, under the names that they have in the plan."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, source in demo_files.sources.items():
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _create_api(site: Any) -> API:
    # An empty mapping: no proxy stands between a machine and itself.
    return JetStream().api(site.host, site.port, user=site.user, password=site.password, proxies={})


def _suspend_transfer(api: API, sender: Any, receiver: Any, total: int) -> Optional[Transfer]:
    """Begin to send, stop waiting on the way, and suspend the transfer; None if it was over by then."""
    sender.configure(rate=2 * total)  # slowly enough for it to have a middle
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
    """Cancels once a share of a transfer has arrived."""

    def __init__(self, api: API, fraction: float) -> None:
        self._api = api
        self._fraction = fraction

    def is_set(self) -> bool:
        """Whether it is time to stop."""
        return any(transfer.fraction >= self._fraction for transfer in self._api.send.getTransfers())
