"""SmartFile in the demo: a directory sent, fetched back over a line that breaks, and brought up to date."""

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional

from smartxfer import BasicClient, SyncClient, delta
from smartxfer.demo.changes import change, copy_file, stand_in
from smartxfer.demo.files import Plan, differences
from smartxfer.demo.table import Row

if TYPE_CHECKING:
    from smartxfer.local import LocalServer

__all__ = ["smartfile_row"]

#: Where the files go on the server.
_REMOTE = "/demo"
_BREAK_AFTER = 256 << 10

Say = Callable[[str], None]


def smartfile_row(server: "LocalServer", plan: Plan, say: Say) -> Row:
    """Send the files as a directory, fetch them back, compare, and bring the largest up to date by a delta.

    :param server: running; faults are added to those that are planned.
    :param say: told in a line what happens.
    :raises SmartxferError: sending, fetching or synchronising failed.
    """
    site = server.smartfile
    # An empty mapping: no proxy stands between a machine and itself.
    with BasicClient(site.key, site.password, url=site.url, proxies={}) as client, _room(plan) as place:
        tree, changed = Path(place, "tree"), Path(place, "changed")
        stand_in(plan, tree)
        say(f"SmartFile: sending {len(plan.sources)} files, {plan.bytes:,} bytes, as a directory")
        began = time.monotonic()
        sent = client.upload_tree(tree, _REMOTE, follow_symlinks=True, progress="SmartFile up")
        between = time.monotonic()
        _break_once(server, plan, say)
        fetched = client.download_tree(_REMOTE, plan.out, progress="SmartFile down")
        done = time.monotonic()
        wrong = differences(plan)
        saved = _resync(client, plan, changed, say)
    return Row(
        service="SmartFile",
        files=len(plan.sources),
        bytes=plan.bytes,
        up_seconds=between - began,
        down_seconds=done - between,
        retries=sum(result.retries for result in [*sent, *fetched]),
        resumed=sum(result.resumed for result in sent),
        saved=saved,
        differing=wrong,
    )


def _room(plan: Plan) -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(dir=str(plan.out.parent))


def _largest(plan: Plan) -> str:
    return max(plan.sources, key=lambda name: plan.sources[name].stat().st_size)


def _break_once(server: "LocalServer", plan: Plan, say: Say) -> None:
    """Plan a broken connection for the largest file on its way back."""
    name = _largest(plan)
    broken = min(_BREAK_AFTER, plan.sources[name].stat().st_size // 2)
    if broken:
        # A question mark would begin the query there; a star stands for it, too.
        address = f"/api/2/path/data{_REMOTE}/{name}/".replace("?", "*")
        server.fault("smartfile", f"GET {address}", f"reset-after-sent {broken}")
        say(f"SmartFile: fetching the files back; the connection breaks once on purpose, {broken:,} bytes in")
    else:
        say("SmartFile: fetching the files back")


def _resync(client: BasicClient, plan: Plan, changed: Path, say: Say) -> Optional[int]:
    """Change about a hundredth of the largest file, and bring the server's up to date.

    :return: bytes that did not travel; None where there is nothing to change.
    """
    name = _largest(plan)
    copy_file(plan.sources[name], changed)
    count = change(changed)
    if not count:
        return None
    result = SyncClient(client).upload(changed, f"{_REMOTE}/{name}", progress="SmartFile sync")
    moved = result.bytes_sent + result.bytes_received
    say(
        f"SmartFile: changed {count:,} of {result.bytes:,} bytes of {name}; {_how(result.method)}: "
        f"{moved:,} bytes moved, {result.bytes_saved:,} saved"
    )
    return result.bytes_saved


def _how(method: Optional[str]) -> str:
    if method == "delta":
        return "a delta was sent"
    if not delta.available():
        return "without librsync the whole file was sent"
    return "the whole file was sent, a delta was of no use"
