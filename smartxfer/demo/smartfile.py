"""SmartFile in the demo: a directory sent, fetched back over a line that breaks, and brought up to date."""

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional

from smartxfer import BasicClient, SyncClient, delta
from smartxfer.demo.files import DemoFiles, find_differences
from smartxfer.demo.fixtures import copy_file, link_tree, mutate_file
from smartxfer.demo.table import Row

if TYPE_CHECKING:
    from smartxfer.local import LocalServer

__all__ = ["run_smartfile_demo"]

#: Where the files go on the server.
_REMOTE_DIRECTORY = "/demo"
_BREAK_AFTER = 256 << 10

StatusCallback = Callable[[str], None]


def run_smartfile_demo(server: "LocalServer", demo_files: DemoFiles, on_status: StatusCallback) -> Row:
    """Send the files as a directory, fetch them back, compare, and bring the largest up to date by a delta.

    :param server: running; faults are added to those that are planned.
    :param on_status: told in a line what happens.
    :raises SmartxferError: sending, fetching or synchronising failed.
    """
    site = server.smartfile
    # An empty mapping: no proxy stands between a machine and itself.
    with BasicClient(
        site.key, site.password, url=site.url, proxies={}
    ) as client, _create_temporary_directory(demo_files) as place:
        tree, changed = Path(place, "tree"), Path(place, "changed")
        link_tree(demo_files, tree)
        on_status(
            f"SmartFile: sending {len(demo_files.sources)} files, {demo_files.bytes:,} bytes, as a directory"
        )
        began = time.monotonic()
        sent = client.upload_tree(tree, _REMOTE_DIRECTORY, follow_symlinks=True, progress="SmartFile up")
        between = time.monotonic()
        _plan_broken_connection(server, demo_files, on_status)
        fetched = client.download_tree(
            _REMOTE_DIRECTORY, demo_files.output_directory, progress="SmartFile down"
        )
        done = time.monotonic()
        wrong = find_differences(demo_files)
        saved = _update_changed_file(client, demo_files, changed, on_status)
    return Row(
        service="SmartFile",
        files=len(demo_files.sources),
        bytes=demo_files.bytes,
        up_seconds=between - began,
        down_seconds=done - between,
        retries=sum(result.retries for result in [*sent, *fetched]),
        resumed=sum(result.resumed for result in sent),
        saved=saved,
        differing=wrong,
    )


def _create_temporary_directory(demo_files: DemoFiles) -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(dir=str(demo_files.output_directory.parent))


def _get_largest_name(demo_files: DemoFiles) -> str:
    return max(demo_files.sources, key=lambda name: demo_files.sources[name].stat().st_size)


def _plan_broken_connection(server: "LocalServer", demo_files: DemoFiles, on_status: StatusCallback) -> None:
    """Plan a broken connection for the largest file on its way back."""
    name = _get_largest_name(demo_files)
    broken = min(_BREAK_AFTER, demo_files.sources[name].stat().st_size // 2)
    if broken:
        # A question mark would begin the query there; a star stands for it, too.
        address = f"/api/2/path/data{_REMOTE_DIRECTORY}/{name}/".replace("?", "*")
        server.fault("smartfile", f"GET {address}", f"reset-after-sent {broken}")
        on_status(
            f"SmartFile: fetching the files back; the connection breaks once on purpose, {broken:,} bytes in"
        )
    else:
        on_status("SmartFile: fetching the files back")


def _update_changed_file(
    client: BasicClient, demo_files: DemoFiles, changed_path: Path, on_status: StatusCallback
) -> Optional[int]:
    """Change about a hundredth of the largest file, and bring the server's up to date.

    :return: bytes that did not travel; None where there is nothing to change.
    """
    name = _get_largest_name(demo_files)
    copy_file(demo_files.sources[name], changed_path)
    count = mutate_file(changed_path)
    if not count:
        return None
    result = SyncClient(client).upload(changed_path, f"{_REMOTE_DIRECTORY}/{name}", progress="SmartFile sync")
    moved = result.bytes_sent + result.bytes_received
    on_status(
        f"SmartFile: changed {count:,} of {result.bytes:,} bytes of {name}; {_format_method(result.method)}: "
        f"{moved:,} bytes moved, {result.bytes_saved:,} saved"
    )
    return result.bytes_saved


def _format_method(method: Optional[str]) -> str:
    if method == "delta":
        return "a delta was sent"
    if not delta.available():
        return "without librsync the whole file was sent"
    return "the whole file was sent, a delta was of no use"
