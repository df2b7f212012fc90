"""Errors of FileSender."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from smartxfer.errors import BadRequest, Conflict, ReadTimeout, RedirectRefused, Stalled, TooLarge
from smartxfer.filesender import FileSenderClient, GuestAuth, UserAuth
from smartxfer.filesender import errors as fs
from smartxfer.transport import RetryPolicy

from .example import shows, shows_faults
from .scene import QUICK, Scene

PASSWORD = "Correct-Horse-7-Battery"


@shows(fs.FileSenderAuthError, mistake=True)
def wrong_api_key(scene: Scene) -> None:
    """Wrong API key of a FileSender account."""
    site = scene.serve("filesender")
    scene.filesender(site, auth=UserAuth(site.username, "0" * 64)).upload(scene.file("report.txt"))


@shows(fs.FileSenderCredentialError, mistake=True)
def no_credentials(scene: Scene) -> None:
    """No credentials at all."""
    site = scene.serve("filesender")
    client = FileSenderClient(site.url, retry=QUICK)
    client.upload(scene.file("report.txt"), "bob@example.org")


@shows(fs.FileSenderForbidden)
def transfer_of_another_user(scene: Scene) -> None:
    """A transfer of another user is deleted."""
    site = scene.serve("filesender", users={"ann@example.org": "a" * 64, "bob@example.org": "b" * 64})
    made = scene.sent(site)
    other = UserAuth("bob@example.org", "b" * 64)
    scene.filesender(site, auth=other).transfers.delete(made.id)


@shows(fs.FileSenderNotFound)
def unknown_transfer(scene: Scene) -> None:
    """A transfer is read by an id that does not exist."""
    scene.filesender().transfers.get(404)


@shows(fs.FileSenderMaintenance)
def maintenance(scene: Scene) -> None:
    """The site is under maintenance."""
    site = scene.serve("filesender")
    client = scene.filesender(site)
    site.configure(maintenance=True)
    client.transfers.list()


@shows(fs.FileSenderServerError, mistake=True)
def server_error(scene: Scene) -> None:
    """The server answers 503."""
    client = scene.filesender()
    scene.fault("GET /rest.php/info", "status 503 body=empty")
    client.get_server_info()


@shows(fs.FileSenderSizeMismatch)
def other_size_than_announced(scene: Scene) -> None:
    """A file has another size than was announced."""
    client = scene.filesender()
    made = client.create_transfer({"from": "ann@example.org", "files": [{"name": "report.txt", "size": 9}]})
    client.upload_complete(made.files[0], scene.file("report.txt"))


@shows(fs.FileSenderUploadRejected)
def voucher_without_link(scene: Scene) -> None:
    """A voucher is used that makes neither recipients nor a link."""
    site = scene.serve("filesender")
    options = {"transfer": {"get_a_link": False}}
    body = {"recipient": "bob@example.net", "from": "ann@example.org", "options": options}
    guest = scene.filesender(site).create_guest(body)
    client = scene.filesender(site, auth=GuestAuth(guest.token))
    client.upload_workflow([scene.file("report.txt")])


@shows(fs.FileSenderBatchError)
def one_of_two_files(scene: Scene) -> None:
    """One of two files cannot be downloaded."""
    site = scene.serve("filesender")
    client = scene.filesender(site)
    made = client.upload_workflow([("a.txt", b"a"), ("b.txt", b"b")], link=True)
    Path(site.stored(made.files[0])).unlink()
    client.download_files(made.download_url, "copies")


def _encrypted(scene: Scene, **options: object) -> tuple[object, object]:
    site = scene.serve("filesender", encryption_iterations=1000, upload_chunk_size=65536, **options)
    client = scene.filesender(site)
    made = client.upload_workflow([("report.txt", bytes(100_000))], password=PASSWORD, link=True)
    return site, made


@shows(fs.FileSenderPasswordRequired, mistake=True)
def no_password(scene: Scene) -> None:
    """No password for an encrypted transfer."""
    site, made = _encrypted(scene)
    scene.filesender(site).download_files(made.download_url, "copies")


@shows(fs.FileSenderWrongPassword, mistake=True)
def wrong_password(scene: Scene) -> None:
    """Wrong password of an encrypted transfer."""
    site, made = _encrypted(scene)
    scene.filesender(site).download_files(made.download_url, "copies", password="Battery-Staple-8-Horse")


@shows(fs.FileSenderIntegrityError)
def damaged_chunk(scene: Scene) -> None:
    """An encrypted file is damaged on the server."""
    site, made = _encrypted(scene)
    path = Path(site.stored(made.files[0]))
    stored = path.read_bytes()
    path.write_bytes(stored[:-1] + bytes([stored[-1] ^ 1]))
    scene.filesender(site).download_files(made.download_url, "copies", password=PASSWORD)


@shows(fs.FileSenderRangeMismatch)
def ranges_ignored(scene: Scene) -> None:
    """The site ignores ranges, which encrypted downloads need."""
    site, made = _encrypted(scene, plain_ranges=True)
    scene.filesender(site).download_files(made.download_url, "copies", password=PASSWORD)


@shows(fs.ERRORS.class_for(ReadTimeout))
def read_timeout(scene: Scene) -> None:
    """The server does not answer in time."""
    client = scene.filesender(timeout=(5, 0.2))
    scene.fault("GET /rest.php/info", "no-answer")
    client.get_server_info()


@shows(fs.ERRORS.class_for(Stalled))
def stalled(scene: Scene) -> None:
    """An upload is slower than the stall speed."""
    site = scene.serve("filesender", upload_chunk_size=32 << 20)
    client = scene.filesender(site, retry=RetryPolicy(backoff=0, attempts=1, stall_window=1))
    client.prepare()
    scene.fault("PUT /rest.php/file/*/chunk/*", "stall")
    client.upload(scene.file("report.bin", bytes(32 << 20)))


@shows(fs.ERRORS.class_for(BadRequest))
def bad_parameter(scene: Scene) -> None:
    """The site refuses a parameter."""
    client = scene.filesender()
    client.get("transfer", "x y")


@shows(fs.ERRORS.class_for(Conflict))
def closed_transfer(scene: Scene) -> None:
    """A chunk is sent to a complete transfer."""
    site = scene.serve("filesender")
    client = scene.filesender(site)
    made = client.upload_workflow([scene.file("report.txt")], link=True)
    client.upload_file(made.files[0], "report.txt")


@shows(fs.ERRORS.class_for(TooLarge))
def chunk_too_large(scene: Scene) -> None:
    """A proxy limits the size of a request."""
    client = scene.filesender()
    scene.fault("PUT /rest.php/file/*/chunk/*", "status 413 body=empty")
    client.upload(scene.file("report.txt"), "bob@example.org")


shows_faults(
    __name__, "GET /rest.php/info", lambda scene: scene.filesender().get_server_info,
    (fs.FileSenderClientError, "A status of 4xx without a class of its own", "status 418 body=empty"),
    (fs.FileSenderUnexpectedResponse, "An empty answer comes in place of JSON", "status 204 body=empty"),
    (fs.FileSenderDecodeError, "The answer has another type than the protocol says", b"[]"),
    (fs.FileSenderNetworkError, "The connection breaks at every attempt", "reset-before"),
    (fs.FileSenderTruncated, "The response ends early at every attempt", "truncate 20"),
)
shows_faults(
    __name__, "POST /rest.php/transfer",
    lambda scene: partial(scene.filesender().upload, scene.file("report.txt"), "bob@example.org"),
    (fs.FileSenderLimitExceeded, "The site has no space left", "status 500 body=json:storage_not_enough_space_left"),
    (fs.ERRORS.class_for(RedirectRefused), "A creation is redirected", "redirect http://other.example.org{target} 307"),
)
shows_faults(
    __name__, "POST /rest.php/guest",
    lambda scene: partial(scene.filesender().create_guest, {"recipient": "bob@example.net", "from": "ann@example.org"}),
    (fs.FileSenderOutcomeUnknown, "The response to the creation of a guest is lost", "lose-answer"),
)
