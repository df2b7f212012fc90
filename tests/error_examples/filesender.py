"""Errors of FileSender."""

from __future__ import annotations

from pathlib import Path

from smartxfer.errors import BadRequest, Conflict, ReadTimeout, RedirectRefused, Stalled, TooLarge
from smartxfer.filesender import FileSenderClient, GuestAuth, UserAuth
from smartxfer.filesender import errors as fs
from smartxfer.transport import RetryPolicy

from .example import shows
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
    made = scene.filesender(site).upload_workflow([scene.file("report.txt")], link=True)
    other = UserAuth("bob@example.org", "b" * 64)
    scene.filesender(site, auth=other).transfers.delete(made.id)


@shows(fs.FileSenderNotFound)
def unknown_transfer(scene: Scene) -> None:
    """A transfer is read by an id that does not exist."""
    scene.filesender().transfers.get(404)


@shows(fs.FileSenderLimitExceeded)
def full_site(scene: Scene) -> None:
    """The site has no space left."""
    client = scene.filesender()
    scene.fault("POST /rest.php/transfer", "status 500 body=json:storage_not_enough_space_left")
    client.upload(scene.file("report.txt"), "bob@example.org")


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


@shows(fs.FileSenderClientError)
def other_client_error(scene: Scene) -> None:
    """A status of 4xx without a class of its own."""
    client = scene.filesender()
    scene.fault("GET /rest.php/info", "status 418 body=empty")
    client.get_server_info()


@shows(fs.FileSenderUnexpectedResponse)
def page_for_json(scene: Scene) -> None:
    """A proxy's page comes in place of JSON."""
    client = scene.filesender()
    scene.fault("GET /rest.php/info", "status 204 body=empty")
    client.get_server_info()


@shows(fs.FileSenderDecodeError)
def list_for_object(scene: Scene) -> None:
    """The answer has another type than the protocol says."""
    client = scene.filesender()
    scene.answer("GET /rest.php/info", b"[]")
    client.get_server_info()


@shows(fs.FileSenderNetworkError)
def connection_reset(scene: Scene) -> None:
    """The connection breaks at every attempt."""
    client = scene.filesender()
    scene.fault("GET /rest.php/info", "reset-before")
    client.get_server_info()


@shows(fs.FileSenderTruncated)
def body_ends_early(scene: Scene) -> None:
    """The response ends early at every attempt."""
    client = scene.filesender()
    scene.fault("GET /rest.php/info", "truncate 20")
    client.get_server_info()


@shows(fs.FileSenderOutcomeUnknown)
def response_lost(scene: Scene) -> None:
    """The response to the creation of a guest is lost."""
    client = scene.filesender()
    scene.fault("POST /rest.php/guest", "lose-answer")
    client.create_guest({"recipient": "bob@example.net", "from": "ann@example.org"})


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


@shows(fs.ERRORS.class_for(RedirectRefused))
def upload_redirected(scene: Scene) -> None:
    """The creation of a transfer is redirected to another host."""
    client = scene.filesender()
    scene.fault("POST /rest.php/transfer", "redirect http://other.example.org{target} 307")
    client.upload(scene.file("report.txt"), "bob@example.org")


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
