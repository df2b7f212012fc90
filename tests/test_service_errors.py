"""Each service's own errors, raised by real calls against the local server."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple, Type

import pytest

from smartxfer import FileSenderClient, PerseusClient, RetryPolicy, UserAuth, errors
from smartxfer.errors import SmartxferError
from smartxfer.jetstream import JetStream
from smartxfer.local import LocalServer
from smartxfer.nrp import get_client
from smartxfer.perseus.errors import PerseusNetworkError
from smartxfer.smartfile import BasicClient
from tests.support.error_families import FAMILIES, belongs

SERVICES = list(FAMILIES)
Step = Callable[[Any], Any]
DATA = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def shared() -> Iterator[LocalServer]:
    with LocalServer() as server:
        yield server


@pytest.fixture
def server(shared: LocalServer) -> Iterator[LocalServer]:
    """The local server; a fault that did not fire is a failure."""
    yield shared
    unfired = shared.unfired()
    shared.clear_faults()
    assert unfired == []


def client_of(server: LocalServer, name: str, **options: Any) -> Any:
    options = {"retry": RetryPolicy(attempts=2, backoff=0), **options}
    site: Any = getattr(server, name)
    if name == "filesender":
        return FileSenderClient(site.url, auth=UserAuth(site.username, site.api_key), **options)
    if name == "smartfile":
        return BasicClient(site.key, site.password, url=site.url, **options)
    if name == "nrp":
        return get_client(site.url, token=site.token, **options)
    if name == "perseus":
        return PerseusClient(site.url, api_key=site.api_key, **options)
    return JetStream().api(site.url, user=site.user, password=site.password, **options)


#: By service: a request that reads, and the call that makes it.
READS: Dict[str, Tuple[str, Step]] = {
    "filesender": ("GET /rest.php/transfer*", lambda client: client.transfers.list()),
    "smartfile": ("GET /api/2/path/info/*", lambda client: client.stat("/")),
    "nrp": ("GET /api/records/*", lambda client: client.records.read(_draft(client))),
    "perseus": ("POST /api/v0/file/find", lambda client: client.file.find_file("x")),
    "jetstream": ("POST *getServerInfo", lambda client: client.server.getServerInfo()),
}
#: By service: a request that creates, and the call that makes it.
CREATES: Dict[str, Tuple[str, Step]] = {
    "filesender": ("POST /rest.php/guest*", lambda client: client.post("guest", recipient="a@example.org")),
    "smartfile": ("POST /api/2/link/*", lambda client: client.post("link", path="/")),
    "nrp": ("POST /api/records*", lambda client: client.records.create({"metadata": {}})),
    "perseus": ("POST /api/v0/file", lambda client: client.post("file", name="a", source_hash="0" * 64)),
    "jetstream": ("POST /jsonrpc/send.createManifest*", lambda client: client.send.createManifest({"/a": "/a"})),
}
FAULTS = [
    ("status 404", errors.NotFound), ("status 401", errors.AuthError), ("status 403", errors.Forbidden),
    ("status 429 retry-after=0", errors.RateLimited), ("status 502", errors.ServerError),
    ("reset-before", errors.NetworkError), ("no-answer", errors.ReadTimeout), ("truncate 1", errors.Truncated),
    ("replace 200 body=html", errors.DecodeError), ("replace 304", errors.CommunicationError),
    ("redirect ftp://example.org/", errors.RedirectRefused),
]


def check_failure(
    server: LocalServer, name: str, match: str, effect: str, step: Step, generic: Type[BaseException], **options: Any
) -> Any:
    """Make a call with a fault of the server; its error is the generic one and the service's."""
    server.fault(name, match, effect, times=None)
    with pytest.raises(SmartxferError) as caught, client_of(server, name, **options) as client:
        step(client)
    belongs(caught.value, name, generic)
    return caught.value


@pytest.mark.parametrize(("effect", "generic"), FAULTS)
@pytest.mark.parametrize("name", SERVICES)
def test_a_call_that_fails(server: LocalServer, name: str, effect: str, generic: Type[BaseException]) -> None:
    match, step = READS[name]
    check_failure(server, name, match, effect, step, generic, timeout=0.5)


@pytest.mark.parametrize("name", SERVICES)
def test_an_answer_of_another_shape(server: LocalServer, name: str, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_bytes(b'{"id": [[]], "jsonrpc": "2.0"}')
    match, step = READS[name]
    check_failure(server, name, match, f"replace 200 body=file:{body}", step, errors.DecodeError)


@pytest.mark.parametrize("name", SERVICES)
def test_an_answer_that_was_lost(server: LocalServer, name: str) -> None:
    match, step = CREATES[name]
    check_failure(server, name, match, "lose-answer", step, errors.OutcomeUnknown)


@pytest.mark.parametrize("name", SERVICES)
def test_a_server_that_is_not_there(server: LocalServer, name: str) -> None:
    with LocalServer(services=[name]) as gone:
        client = client_of(gone, name)
    with pytest.raises(SmartxferError) as caught, client:
        READS[name][1](client)
    belongs(caught.value, name, errors.NetworkError)


@pytest.mark.parametrize("name", ["filesender", "smartfile", "perseus"])
def test_credentials_that_stand_nowhere(server: LocalServer, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = getattr(server, name).url
    made: Dict[str, Step] = {
        "filesender": lambda url: FileSenderClient(url), "smartfile": lambda url: BasicClient(url=url),
        "perseus": lambda url: PerseusClient(url),
    }
    with pytest.raises(SmartxferError) as caught, made[name](url) as client:
        READS[name][1](client)
    belongs(caught.value, name, errors.CredentialError)


# -- files -----------------------------------------------------------------------------------------------

#: By service: the request that carries bytes up, and the calls that make it for one file and for several.
UPLOADS: Dict[str, Tuple[str, Step, Step]] = {
    "filesender": (
        "PUT /rest.php/file/*/chunk/*",
        lambda client: client.upload_workflow([("a", DATA)], link=True),
        lambda client: client.upload_workflow([("a", DATA), ("b", DATA)], link=True),
    ),
    "smartfile": (
        "POST /api/2/path/data/*", lambda client: client.upload(("a", DATA), "/"),
        lambda client: client.upload_tree(client.folder, "/"),
    ),
    "nrp": (
        "PUT /api/records/*/content",
        lambda client: client.files.upload(_draft(client), "a", {}, DATA),
        lambda client: client.files.upload_many(_draft(client), [("a", DATA), ("b", DATA + b"b")]),
    ),
    "perseus": (
        "PUT /storage/*",
        lambda client: client.file.upload_many([("a", DATA)]),
        lambda client: client.file.upload_many([("a", DATA), ("b", DATA + b"b")]),
    ),
}


def _draft(client: Any) -> Any:
    return client.records.create({"metadata": {}, "files": {"enabled": True}})


@pytest.mark.parametrize(
    ("effect", "generic"),
    [
        ("status 404", errors.HTTPError), ("status 502", errors.HTTPError), ("reset-before", errors.NetworkError),
        ("stall", errors.NetworkError),
    ],
)
@pytest.mark.parametrize("name", UPLOADS)
def test_an_upload_that_fails(server: LocalServer, name: str, effect: str, generic: Type[BaseException]) -> None:
    match, step, _ = UPLOADS[name]
    server.fault(name, match, effect, times=None)
    with pytest.raises(SmartxferError) as caught, client_of(server, name, timeout=0.5) as client:
        step(client)
    belongs(caught.value, name, generic)


@pytest.mark.parametrize("name", UPLOADS)
def test_several_files_that_fail(server: LocalServer, name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for file in ("a", "b"):
        (tmp_path / "folder" / file).write_bytes(DATA + file.encode())
    match, _, step = UPLOADS[name]
    server.fault(name, match, "status 403", times=None)
    with pytest.raises(SmartxferError) as caught, client_of(server, name) as client:
        client.folder = tmp_path / "folder"
        step(client)
    belongs(caught.value, name, errors.BatchError)
    batch: Any = caught.value
    for error in batch.errors:
        belongs(error, name, errors.HTTPError)


@pytest.mark.parametrize("name", UPLOADS)
def test_a_local_file_that_is_missing_is_no_services_error(server: LocalServer, name: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    steps: Dict[str, Step] = {
        "filesender": lambda client: client.upload_workflow([missing], link=True),
        "smartfile": lambda client: client.upload(missing, "/"),
        "nrp": lambda client: client.files.upload("abcde-fghij", "a", {}, missing),
        "perseus": lambda client: client.file.upload_file(missing),
    }
    with pytest.raises(FileNotFoundError) as caught, client_of(server, name) as client:
        steps[name](client)
    assert not isinstance(caught.value, tuple(family.root for family in FAMILIES.values()))


def _sent(client: Any, name: str) -> Any:
    """Send a file; return what downloads it into a directory."""
    if name == "filesender":
        transfer = client.upload_workflow([("a", DATA)], link=True)
        return lambda into: client.download_files(transfer, into)
    if name == "smartfile":
        path = client.upload(("a", DATA), "/").name
        return lambda into: client.download(path, f"{into}/", checksum="sha256")
    file = client.files.upload(_draft(client), "a", {}, DATA)
    return lambda into: client.files.download(file, into / "a")


@pytest.mark.parametrize(
    ("effect", "generic"),
    [
        ("truncate 0", errors.Truncated), ("flip 100", errors.ChecksumMismatch), ("status 404", errors.NotFound),
        ("stall", errors.NetworkError),
    ],
)
@pytest.mark.parametrize("name", ["filesender", "smartfile", "nrp"])
def test_a_download_that_fails(
    server: LocalServer, name: str, effect: str, generic: Type[BaseException], tmp_path: Path
) -> None:
    if (name, effect) == ("filesender", "flip 100"):
        pytest.skip("protocols/filesender 5: no checksum is published")
    match = {
        "filesender": "GET /download.php*", "smartfile": "GET /api/2/path/data/*",
        "nrp": "GET /api/records/*/content",
    }
    with client_of(server, name, timeout=0.5) as client:
        fetch = _sent(client, name)
        server.fault(name, match[name], effect, times=None)
        (tmp_path / "out").mkdir()
        with pytest.raises(SmartxferError) as caught:
            fetch(tmp_path / "out")
    belongs(caught.value, name, generic)


def test_a_wait_that_ends(server: LocalServer) -> None:
    with client_of(server, "perseus") as client:
        made = client.file.create_file("never.txt", "1" * 64)
        with pytest.raises(SmartxferError) as caught:
            client.file.wait_for_file_upload(made["file"].id, 0.01, 0.05)
    belongs(caught.value, "perseus", errors.WaitTimeout)


def test_one_services_name_does_not_catch_anothers_error(server: LocalServer) -> None:
    from smartxfer.nrp.errors import RepositoryCommunicationError, RepositoryError
    from smartxfer.perseus.errors import PerseusException

    server.fault("perseus", "POST /api/v0/file/find", "reset-before", times=None)
    with client_of(server, "perseus") as client, pytest.raises(PerseusException):
        try:
            client.file.find_file("x")
        except RepositoryError:
            pytest.fail("an error of Perseus was caught as a repository's")
    server.fault("nrp", "GET /api/records/*", "reset-before", times=None)
    with pytest.raises(RepositoryCommunicationError), client_of(server, "nrp") as client:
        client.records.read(_draft(client))


def test_the_error_that_a_services_one_replaces_keeps_no_frames() -> None:
    """The frames of the libraries contain unmasked headers and received data."""
    raised: List[BaseException] = []

    def step() -> None:
        raised.append(errors.NetworkError("no answer"))
        raise raised[0]

    with PerseusClient("http://127.0.0.1:1", api_key="k") as client:
        with pytest.raises(PerseusNetworkError) as caught:
            client._http.translate_errors("GET /", step)
    assert caught.value is not raised[0]
    assert raised[0].__traceback__ is None
