"""Errors of Perseus."""

from __future__ import annotations

from functools import partial
from typing import Any

from smartxfer import PerseusClient
from smartxfer.perseus import errors as perseus

from .example import shows, shows_faults
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


@shows(perseus.PerseusNotFound)
def unknown_id(scene: Scene) -> None:
    """A file is read by an id that does not exist."""
    scene.perseus().info("01234567-89ab-cdef-0123-456789abcdef")


@shows(perseus.PerseusWaitTimeout)
def wait_timeout(scene: Scene) -> None:
    """A file is not processed in time."""
    site = scene.serve("perseus")
    id = site.write("report.txt", b"ACGT", status="pending")
    scene.perseus(site).file.wait_for_file_upload(id, polling_interval=0.05, timeout=0.1)


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


def _upload(scene: Scene) -> Any:
    return partial(scene.perseus().upload, scene.file("report.txt"), wait=True)


FIND, CREATE, PUT = "POST /api/v0/file/find", "POST /api/v0/file", "PUT /storage/*"
shows_faults(
    __name__, FIND, lambda scene: scene.perseus().list,
    (perseus.PerseusClientError, "A status of 4xx without a class of its own", "status 418 body=empty"),
    (perseus.PerseusServerError, "The server fails at every attempt", "status 502 body=html"),
    (perseus.PerseusDecodeError, "The answer has another type than the protocol says", b"{}"),
    (perseus.PerseusNetworkError, "The connection is reset at every attempt", "reset-before"),
)
shows_faults(
    __name__, CREATE, _upload,
    (perseus.PerseusForbidden, "The plan does not allow an upload", "status 402 body=json:upgrade"),
    (perseus.PerseusConflict, "The content is known, and its record cannot be found", "status 409 body=json:known"),
    (perseus.PerseusRedirectRefused, "A creation is redirected", "redirect http://other.example.org{target} 307"),
)
shows_faults(
    __name__, PUT, _upload,
    (perseus.PerseusStorageError, "The storage refuses an upload", "status 403 body=json:SignatureDoesNotMatch"),
    (perseus.PerseusUploadFailed, "The bytes are damaged on the way", "flip-in 0"),
)
shows_faults(
    __name__, CREATE, lambda scene: partial(scene.perseus().file.create_file, "report.txt", "0" * 64),
    (perseus.PerseusOutcomeUnknown, "The answer to a creation is lost", "lose-answer"),
)
