"""JetStream in the demo: one server sends its files to another, and that one sends them back; compared."""

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

from smartxfer.demo.files import Plan, differences
from smartxfer.demo.table import Row
from smartxfer.errors import Cancelled, Conflict
from smartxfer.jetstream import API, JetStream, Transfer

if TYPE_CHECKING:
    from smartxfer.local import LocalServer

__all__ = ["jetstream_row"]

_CREATE = "POST /jsonrpc/send.createTransfer"
#: Fewer bytes than these are not suspended on their way.
_LEAST = 64 << 10
#: Where the files lie on the servers, and where they come back to.
_FOLDER, _BACK = "demo", "back"

Say = Callable[[str], None]


def jetstream_row(server: "LocalServer", plan: Plan, say: Say) -> Row:
    """Have one server send the files to the other and that one send them back, and compare.

    A client of JetStream carries no bytes: the files are put where the first server sees them.

    :param server: running; faults are added to those that are planned.
    :param say: told in a line what happens.
    :raises SmartxferError: sending failed.
    """
    near, far = server.jetstream, server.jetstream_peer
    _lay_out(plan, Path(near.root) / _FOLDER)
    with _connected(near) as api, _connected(far) as peer:
        say(f"JetStream: sending {len(plan.sources)} files, {plan.bytes:,} bytes, from one server to another")
        began = time.monotonic()
        half = _suspended_half_way(api, near, far, plan.bytes) if plan.bytes >= _LEAST else None
        resumed = 0
        if half is not None:
            resumed = half.bytes_acked
            say(f"JetStream: suspended on purpose at {half.fraction:.0%}; the same call again goes on")
        api.send_files(f"/{_FOLDER}", (far.host, far.port), progress="JetStream up")
        sent = time.monotonic()
        say("JetStream: the other server sends the files back")
        server.fault("jetstream_peer", _CREATE, "lose-answer")
        say("JetStream: the connection breaks once on purpose, before createTransfer is answered")
        began_down = time.monotonic()
        peer.send_files(f"/{_FOLDER}", (near.host, near.port), into=f"/{_BACK}", progress="JetStream down")
        done = time.monotonic()
        asked, made = far.count(_CREATE), len(peer.send.getTransfers())
        say(f"JetStream: createTransfer was asked for {asked} times, with one id; transfers made: {made}")
    for path in (Path(near.root) / _BACK / _FOLDER).iterdir():
        shutil.move(str(path), str(plan.out))
    return Row(
        service="JetStream",
        files=len(plan.sources),
        bytes=plan.bytes,
        up_seconds=sent - began,
        down_seconds=done - began_down,
        retries=asked - made,
        resumed=resumed,
        differing=differences(plan),
    )


def _lay_out(plan: Plan, folder: Path) -> None:
    """Put the files where the server sees them, under the names that they have in the plan."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in plan.sources.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _connected(site: Any) -> API:
    # An empty mapping: no proxy stands between a machine and itself.
    return JetStream().api(site.host, site.port, user=site.user, password=site.password, proxies={})


def _suspended_half_way(api: API, near: Any, far: Any, total: int) -> Optional[Transfer]:
    """Begin to send, stop waiting on the way, and suspend the transfer; None if it was over by then."""
    near.configure(rate=2 * total)  # slowly enough for it to have a middle
    try:
        api.send_files(
            f"/{_FOLDER}", (far.host, far.port), progress="JetStream up", cancel=_OnItsWay(api, 0.25)
        )
    except Cancelled:
        [transfer] = api.send.getTransfers()
        try:
            api.send.suspendTransfer(transfer)
        except Conflict:
            return None
        return api.send.getTransfer(transfer)
    finally:
        near.configure(rate=0)
    return None


class _OnItsWay:
    """Cancels once a share of a transfer has arrived."""

    def __init__(self, api: API, share: float) -> None:
        self._api = api
        self._share = share

    def is_set(self) -> bool:
        """Whether it is time to stop."""
        return any(transfer.fraction >= self._share for transfer in self._api.send.getTransfers())
