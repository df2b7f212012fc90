"""Errors whose cause is on the caller's side, and those of the network that every service has."""

from __future__ import annotations

import errno
import threading
from typing import Any

from smartxfer import FileSenderClient, delta, errors
from smartxfer._system import SYSTEM_FILESYSTEM
from smartxfer.filesender import errors as fs

from .example import shows
from .scene import QUICK, Scene


@shows(errors.ConfigError)
def unreadable_profile(scene: Scene) -> None:
    """The configuration file is malformed."""
    scene.file("xdg-config/smartxfer/config.ini", b"username = ann@example.org\n")
    FileSenderClient("https://filesender.example.org", profile="work").transfers.list()


@shows(errors.LocalError)
def target_is_a_directory(scene: Scene) -> None:
    """The target of a download is a directory of the same name."""
    site = scene.holding()
    (scene.path / "report.txt").mkdir()
    scene.smartfile(site).download("/report.txt")


@shows(errors.LocalNotFound, mistake=True)
def missing_local_file(scene: Scene) -> None:
    """A local file that does not exist."""
    scene.smartfile().upload("reports/2026.txt")


@shows(errors.LocalPermissionError, mistake=True)
def unreadable_file(scene: Scene) -> None:
    """A local file that may not be read."""
    name, opened = scene.file("report.txt"), SYSTEM_FILESYSTEM.open

    def refuse(path: Any, *arguments: Any) -> Any:  # the superuser may read every file
        if str(path).endswith(name):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *arguments)

    scene.patch.setattr(SYSTEM_FILESYSTEM, "open", refuse, raising=False)
    scene.smartfile().upload(name)


@shows(errors.DiskFull, mistake=True)
def disk_full(scene: Scene) -> None:
    """The disk is full."""
    site = scene.holding("/report.bin", bytes(1 << 20))
    scene.patch.setattr(SYSTEM_FILESYSTEM, "free_space", lambda directory: 4096, raising=False)
    scene.smartfile(site).download("/report.bin")


@shows(errors.UnsafeName)
def unsafe_name(scene: Scene) -> None:
    """The server names a file that would be written outside the target."""
    site = scene.serve("nrp", any_key=True)
    record = site.create({})
    site.plant(record, "..", b"ACGT")
    scene.nrp(site).download_tree(record, "copies")


@shows(errors.TargetExists, mistake=True)
def target_exists(scene: Scene) -> None:
    """The target of a download exists and has other content."""
    site = scene.holding()
    scene.file("report.txt", b"older")
    scene.smartfile(site).download("/report.txt")


@shows(errors.LibrsyncNotFound, mistake=True)
def no_librsync(scene: Scene) -> None:
    """librsync is not installed."""
    scene.patch.setenv("SMARTXFER_LIBRSYNC", "/usr/lib/librsync.so.9")
    delta.signature(scene.file("report.bin"), "report.sig")


@shows(errors.AlreadyInProgress)
def in_progress(scene: Scene) -> None:
    """Another process downloads to the same file."""
    site = scene.holding("/report.bin", bytes(1 << 20))
    scene.fault("GET /api/2/path/data/*", "rate 64K")
    stop, first = threading.Event(), scene.smartfile(site)
    began = threading.Event()

    def download() -> None:
        try:
            first.download("/report.bin", cancel=stop, progress=lambda event: began.set())
        except errors.Cancelled:
            pass

    thread = threading.Thread(target=download)
    thread.start()
    try:
        began.wait(10)
        scene.smartfile(site).download("/report.bin")
    finally:
        stop.set()
        thread.join()


@shows(errors.Cancelled)
def cancelled(scene: Scene) -> None:
    """The caller cancels an upload."""
    stop = threading.Event()
    stop.set()
    scene.smartfile().upload(scene.file("report.txt"), cancel=stop)


@shows(errors.DeadlineExceeded, mistake=True)
def deadline(scene: Scene) -> None:
    """The deadline passes."""
    site = scene.holding("/report.bin", bytes(1 << 20))
    scene.fault("GET /api/2/path/data/*", "rate 64K")
    scene.smartfile(site).download("/report.bin", deadline=0.5)


@shows(errors.DeltaError)
def not_a_signature(scene: Scene) -> None:
    """The file given as a signature is not one."""
    delta.delta(scene.file("report.txt"), scene.file("report.bin"), "report.delta")


@shows(fs.ERRORS.class_for(errors.ConnectTimeout))
def connect_timeout(scene: Scene) -> None:
    """The host does not accept a connection in time."""
    import socket

    listener = scene.enter(socket.socket())
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    for _ in range(3):  # the queue is full
        waiting = scene.enter(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(listener.getsockname())
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    scene.enter(FileSenderClient(url, timeout=(0.2, 1), retry=QUICK)).get_server_info()


@shows(fs.ERRORS.class_for(errors.TLSError))
def unknown_authority(scene: Scene) -> None:
    """The certificate is signed by an unknown authority."""
    scene.filesender(base_url=scene.tls_front().url).get_server_info()


@shows(fs.ERRORS.class_for(errors.ProxyError))
def proxy(scene: Scene) -> None:
    """The proxy cannot be reached."""
    address = f"http://127.0.0.1:{scene.closed_port()}"
    scene.filesender(proxies={"http": address}).get_server_info()
