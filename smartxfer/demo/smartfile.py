"""SmartFile demo: a directory is sent, downloaded over a connection that breaks, and updated with a delta."""

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

#: Directory of the files on the server.
_REMOTE_DIRECTORY = "/demo"
_BREAK_AFTER = 256 << 10

StatusCallback = Callable[[str], None]


def run_smartfile_demo(server: "LocalServer", demo_files: DemoFiles, on_status: StatusCallback) -> Row:
    """Send the files as a directory, download and compare them, and update the largest file with a delta.

    :param server: running server; faults are planned in addition to existing ones.
    :param on_status: called with one line of text about each step.
    :raises SmartxferError: the upload, the download or the update failed.
    """
    site = server.smartfile
    # An empty mapping of proxies: connections to the local server must not use a proxy.
    with BasicClient(
        site.key, site.password, url=site.url, proxies={}
    ) as client, _create_temporary_directory(demo_files) as workspace:
        tree, changed = Path(workspace, "tree"), Path(workspace, "changed")
        link_tree(demo_files, tree)
        on_status(
            f"SmartFile: sending {len(demo_files.sources)} files, {demo_files.bytes:,} bytes, as a directory"
        )
        started = time.monotonic()
        uploads = client.upload_tree(tree, _REMOTE_DIRECTORY, follow_symlinks=True, progress="SmartFile up")
        uploaded = time.monotonic()
        _plan_broken_connection(server, demo_files, on_status)
        downloads = client.download_tree(
            _REMOTE_DIRECTORY, demo_files.output_directory, progress="SmartFile down"
        )
        downloaded = time.monotonic()
        differing = find_differences(demo_files)
        saved = _update_changed_file(client, demo_files, changed, on_status)
    return Row(
        service="SmartFile",
        files=len(demo_files.sources),
        bytes=demo_files.bytes,
        up_seconds=uploaded - started,
        down_seconds=downloaded - uploaded,
        retries=sum(result.retries for result in [*uploads, *downloads]),
        resumed=sum(result.resumed for result in uploads),
        saved=saved,
        differing=differing,
    )


def _create_temporary_directory(demo_files: DemoFiles) -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(dir=str(demo_files.output_directory.parent))


def _get_largest_name(demo_files: DemoFiles) -> str:
    return max(demo_files.sources, key=lambda name: demo_files.sources[name].stat().st_size)


def _plan_broken_connection(server: "LocalServer", demo_files: DemoFiles, on_status: StatusCallback) -> None:
    """Plan a broken connection for the download of the largest file."""
    name = _get_largest_name(demo_files)
    break_after = min(_BREAK_AFTER, demo_files.sources[name].stat().st_size // 2)
    if break_after:
        # A question mark would start the query of the pattern; the wildcard matches it, too.
        path = f"/api/2/path/data{_REMOTE_DIRECTORY}/{name}/".replace("?", "*")
        server.fault("smartfile", f"GET {path}", f"reset-after-sent {break_after}")
        on_status(
            "SmartFile: downloading the files; the connection breaks once on purpose, "
            f"{break_after:,} bytes into a file"
        )
    else:
        on_status("SmartFile: downloading the files")


def _update_changed_file(
    client: BasicClient, demo_files: DemoFiles, changed_path: Path, on_status: StatusCallback
) -> Optional[int]:
    """Change about 1 % of the largest file, and update the file on the server.

    :return: bytes that did not have to be transferred; None if all files are empty.
    """
    name = _get_largest_name(demo_files)
    copy_file(demo_files.sources[name], changed_path)
    count = mutate_file(changed_path)
    if not count:
        return None
    result = SyncClient(client).upload(changed_path, f"{_REMOTE_DIRECTORY}/{name}", progress="SmartFile sync")
    transferred = result.bytes_sent + result.bytes_received
    on_status(
        f"SmartFile: changed {count:,} of {result.bytes:,} bytes of {name}; {_format_method(result.method)}: "
        f"{transferred:,} bytes transferred, {result.bytes_saved:,} saved"
    )
    return result.bytes_saved


def _format_method(method: Optional[str]) -> str:
    if method == "delta":
        return "a delta was sent"
    if not delta.available():
        return "the complete file was sent, because librsync is not installed"
    return "the complete file was sent, because a delta would not be smaller"
