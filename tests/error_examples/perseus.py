"""Errors of Perseus."""

from __future__ import annotations

from smartxfer import PerseusClient
from smartxfer.perseus import errors as perseus

from .example import shows
from .scene import Scene


@shows(perseus.PerseusAuthError)
def wrong_key(scene: Scene) -> None:
    """The API key is wrong."""
    scene.perseus(api_key="sk-perseus-0").list()


@shows(perseus.ConfigurationException)
def no_key(scene: Scene) -> None:
    """The API key is missing."""
    site = scene.serve("perseus")
    scene.enter(PerseusClient(site.url)).list()


@shows(perseus.PerseusForbidden)
def plan(scene: Scene) -> None:
    """The plan does not allow an upload."""
    client = scene.perseus()
    scene.fault("POST /api/v0/file", "status 402 body=json:upgrade")
    client.upload(scene.file("report.txt"))


@shows(perseus.PerseusNotFound)
def unknown_id(scene: Scene) -> None:
    """A file is read by an id that does not exist."""
    scene.perseus().info("01234567-89ab-cdef-0123-456789abcdef")


@shows(perseus.PerseusClientError)
def teapot(scene: Scene) -> None:
    """A status of 4xx without a class of its own."""
    client = scene.perseus()
    scene.fault("POST /api/v0/file/find", "status 418 body=empty")
    client.list()


@shows(perseus.PerseusConflict)
def conflict(scene: Scene) -> None:
    """The content is known, and its record cannot be found."""
    client = scene.perseus()
    scene.fault("POST /api/v0/file", "status 409 body=json:known")
    client.upload(scene.file("report.txt"))


@shows(perseus.PerseusServerError)
def server_error(scene: Scene) -> None:
    """The server fails at every attempt."""
    client = scene.perseus()
    scene.fault("POST /api/v0/file/find", "status 502 body=html")
    client.list()


@shows(perseus.PerseusStorageError)
def storage(scene: Scene) -> None:
    """The storage refuses an upload."""
    client = scene.perseus()
    scene.fault("PUT /storage/*", "status 403 body=json:SignatureDoesNotMatch")
    client.upload(scene.file("report.txt"))


@shows(perseus.PerseusDecodeError)
def no_list(scene: Scene) -> None:
    """The answer has another type than the protocol says."""
    client = scene.perseus()
    scene.answer("POST /api/v0/file/find", b"{}")
    client.list()


@shows(perseus.PerseusNetworkError)
def reset(scene: Scene) -> None:
    """The connection is reset at every attempt."""
    client = scene.perseus()
    scene.fault("POST /api/v0/file/find", "reset-before")
    client.list()


@shows(perseus.PerseusRedirectRefused)
def redirected(scene: Scene) -> None:
    """A creation is redirected to another host."""
    client = scene.perseus()
    scene.fault("POST /api/v0/file", "redirect http://other.example.org{target} 307")
    client.upload(scene.file("report.txt"))


@shows(perseus.PerseusOutcomeUnknown)
def lost_answer(scene: Scene) -> None:
    """The answer to a creation is lost."""
    client = scene.perseus()
    scene.fault("POST /api/v0/file", "lose-answer")
    client.file.create_file("report.txt", "0" * 64)


@shows(perseus.PerseusWaitTimeout)
def wait_timeout(scene: Scene) -> None:
    """A file is not processed in time."""
    site = scene.serve("perseus")
    id = site.write("report.txt", b"ACGT", status="pending")
    scene.perseus(site).file.wait_for_file_upload(id, polling_interval=0.05, timeout=0.1)


@shows(perseus.PerseusUploadFailed)
def upload_failed(scene: Scene) -> None:
    """The bytes are damaged on the way."""
    client = scene.perseus()
    scene.fault("PUT /storage/*", "flip-in 0")
    client.upload(scene.file("report.txt"), wait=True)


@shows(perseus.PerseusUploadPendingElsewhere)
def stuck_pending(scene: Scene) -> None:
    """Another client announced the same content and did not send it."""
    site = scene.serve("perseus")
    site.write("theirs.txt", b"ACGT", status="pending")
    scene.perseus(site).upload(scene.file("report.txt"), grace=0.1)


@shows(perseus.PerseusBatchError)
def one_of_two(scene: Scene) -> None:
    """One of two files cannot be uploaded."""
    client = scene.perseus()
    scene.fault("PUT /storage/*", "status 403 body=json:SignatureDoesNotMatch", times=1)
    client.upload_many([("a.txt", b"a"), ("b.txt", b"b")], max_workers=1)
