"""Errors of SmartFile."""

from __future__ import annotations

from functools import partial

from smartxfer.errors import SizeMismatch
from smartxfer.smartfile import errors as sf

from .example import shows, shows_faults
from .scene import Scene


@shows(sf.SmartFileAuthError)
def wrong_key(scene: Scene) -> None:
    """The API key is wrong."""
    scene.smartfile(key="0" * 30).list("/")


@shows(sf.SmartFileCredentialError)
def no_key(scene: Scene) -> None:
    """The API key is missing."""
    site = scene.serve("smartfile")
    from smartxfer import BasicClient

    scene.enter(BasicClient(url=site.url)).list("/")


@shows(sf.SmartFileNotFound)
def missing_path(scene: Scene) -> None:
    """A path does not exist on the server."""
    scene.smartfile().download("/reports/2026.txt")


@shows(sf.SmartFileThrottled)
def throttled(scene: Scene) -> None:
    """The server refuses requests as too frequent."""
    site = scene.serve("smartfile")
    site.throttle(9, 30, style="503")
    scene.smartfile(site, throttle_wait=False).list("/")


@shows(sf.SmartFileTruncated)
def truncated(scene: Scene) -> None:
    """A download ends early at every attempt."""
    site = scene.holding(data=b"ACGT" * 1000, ranges=False)
    scene.fault("GET /api/2/path/data/*", "truncate 100")
    scene.smartfile(site).download("/report.txt")


@shows(sf.SmartFileSourceChanged)
def file_changes(scene: Scene) -> None:
    """A file grows while it is sent."""
    name = scene.file("report.bin", bytes(1 << 20))

    def grow(event: object) -> None:
        with open(name, "ab") as file:
            file.write(b"more")

    scene.smartfile().upload(name, "/", progress=grow)


@shows(sf.SmartFileTaskFailed)
def task_failed(scene: Scene) -> None:
    """The server cannot remove a directory."""
    site = scene.holding("/docs/a.txt", b"ACGT", task_errors={"/docs/a.txt": "Permission denied"}, task_failure=True)
    scene.smartfile(site).remove("/docs/a.txt")


@shows(sf.SmartFileWaitTimeout)
def wait_timeout(scene: Scene) -> None:
    """A task takes longer than the caller waits."""
    site = scene.holding("/docs/a.txt", b"ACGT", task_polls=1000)
    site.mkdir("/copy")
    scene.smartfile(site).copy("/docs", "/copy", timeout=0.1)


@shows(sf.SmartFileBatchError)
def one_of_two(scene: Scene) -> None:
    """One of two files is missing on the server."""
    site = scene.holding("/a.txt", b"a")
    site.write("/b.txt", b"b")
    scene.fault("GET /api/2/path/data/b.txt*", "status 404 body=json:gone")
    scene.smartfile(site).download_many(["/a.txt", "/b.txt"])


INFO, DOWNLOAD = "GET /api/2/path/info/*", "GET /api/2/path/data/*"
shows_faults(
    __name__, INFO, lambda scene: partial(scene.smartfile().info, "/a.txt"),
    (sf.SmartFileForbidden, "The account may not do this", "status 403 body=json:Forbidden"),
    (sf.SmartFileClientError, "A status of 4xx without a class of its own", "status 418 body=empty"),
    (sf.SmartFileServerError, "The server fails at every attempt", "status 500 body=empty"),
    (sf.SmartFileUnexpectedResponse, "The answer is empty", "status 204 body=empty"),
    (sf.RequestError, "The connection is reset", "reset-before"),
)
shows_faults(
    __name__, INFO, lambda scene: partial(scene.smartfile().list, "/"),
    (sf.SmartFileDecodeError, "The answer has another type than the protocol says", b"[]"),
)
shows_faults(
    __name__, DOWNLOAD,
    lambda scene: partial(scene.smartfile(scene.holding()).download, "/report.txt", checksum="sha256"),
    (sf.SmartFileChecksumMismatch, "The bytes are damaged on the way", "flip 1"),
    (sf.ERRORS.class_for(SizeMismatch), "A download has more bytes than the server announced", "extra-byte"),
)
shows_faults(
    __name__, "POST /api/2/link/*", lambda scene: partial(scene.smartfile(scene.holding()).create_link, "/report.txt"),
    (sf.SmartFileOutcomeUnknown, "The answer to the creation of a link is lost", "lose-answer"),
)
