"""Errors of SmartFile."""

from __future__ import annotations

from smartxfer.errors import SizeMismatch
from smartxfer.smartfile import errors as sf

from .example import shows
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


@shows(sf.SmartFileForbidden)
def forbidden(scene: Scene) -> None:
    """The account may not do this."""
    client = scene.smartfile()
    scene.fault("GET /api/2/path/info/*", "status 403 body=json:Forbidden")
    client.info("/secret")


@shows(sf.SmartFileNotFound)
def missing_path(scene: Scene) -> None:
    """A path does not exist on the server."""
    scene.smartfile().download("/reports/2026.txt")


@shows(sf.SmartFileClientError)
def method_not_allowed(scene: Scene) -> None:
    """A status of 4xx without a class of its own."""
    client = scene.smartfile()
    scene.fault("GET /api/2/path/info/*", "status 418 body=empty")
    client.info("/a.txt")


@shows(sf.SmartFileThrottled)
def throttled(scene: Scene) -> None:
    """The server refuses requests as too frequent."""
    site = scene.serve("smartfile")
    site.throttle(9, 30, style="503")
    scene.smartfile(site, throttle_wait=False).list("/")


@shows(sf.SmartFileServerError)
def server_error(scene: Scene) -> None:
    """The server fails at every attempt."""
    client = scene.smartfile()
    scene.fault("GET /api/2/path/info/*", "status 500 body=empty")
    client.info("/a.txt")


@shows(sf.SmartFileUnexpectedResponse)
def empty_answer(scene: Scene) -> None:
    """The answer is empty."""
    client = scene.smartfile()
    scene.fault("GET /api/2/path/info/*", "status 204 body=empty")
    client.info("/a.txt")


@shows(sf.SmartFileDecodeError)
def no_children(scene: Scene) -> None:
    """The answer has another type than the protocol says."""
    client = scene.smartfile()
    scene.answer("GET /api/2/path/info/*", b"[]")
    client.list("/")


@shows(sf.RequestError)
def refused(scene: Scene) -> None:
    """The connection is reset."""
    client = scene.smartfile()
    scene.fault("GET /api/2/path/info/*", "reset-before")
    client.info("/a.txt")


@shows(sf.SmartFileTruncated)
def truncated(scene: Scene) -> None:
    """A download ends early at every attempt."""
    site = scene.serve("smartfile", ranges=False)
    site.write("/report.txt", b"ACGT" * 1000)
    scene.fault("GET /api/2/path/data/*", "truncate 100")
    scene.smartfile(site).download("/report.txt")


@shows(sf.SmartFileOutcomeUnknown)
def lost_answer(scene: Scene) -> None:
    """The answer to the creation of a link is lost."""
    site = scene.serve("smartfile")
    site.write("/report.txt", b"ACGT")
    scene.fault("POST /api/2/link/*", "lose-answer")
    scene.smartfile(site).create_link("/report.txt")


@shows(sf.SmartFileChecksumMismatch)
def damaged_upload(scene: Scene) -> None:
    """The bytes are damaged on the way."""
    site = scene.serve("smartfile")
    site.write("/report.txt", b"ACGT")
    scene.fault("GET /api/2/path/data/*", "flip 1")
    scene.smartfile(site).download("/report.txt", checksum="sha256")


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
    site = scene.serve("smartfile", task_errors={"/docs/a.txt": "Permission denied"}, task_failure=True)
    site.write("/docs/a.txt", b"ACGT")
    scene.smartfile(site).remove("/docs/a.txt")


@shows(sf.SmartFileWaitTimeout)
def wait_timeout(scene: Scene) -> None:
    """A task takes longer than the caller waits."""
    site = scene.serve("smartfile", task_polls=1000)
    site.write("/docs/a.txt", b"ACGT")
    site.mkdir("/copy")
    scene.smartfile(site).copy("/docs", "/copy", timeout=0.1)


@shows(sf.SmartFileBatchError)
def one_of_two(scene: Scene) -> None:
    """One of two files is missing on the server."""
    site = scene.serve("smartfile")
    site.write("/a.txt", b"a")
    site.write("/b.txt", b"b")
    scene.fault("GET /api/2/path/data/b.txt*", "status 404 body=json:gone")
    scene.smartfile(site).download_many(["/a.txt", "/b.txt"])


@shows(sf.ERRORS.class_for(SizeMismatch))
def larger_than_listed(scene: Scene) -> None:
    """A download has more bytes than the server announced."""
    site = scene.serve("smartfile")
    site.write("/report.txt", b"ACGT")
    scene.fault("GET /api/2/path/data/*", "extra-byte")
    scene.smartfile(site).download("/report.txt")
