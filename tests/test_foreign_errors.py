"""Texts that cannot be sent raise errors of the package, in every public method with a name or an id."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest

from smartxfer import FileSenderClient, PerseusClient, RetryPolicy, UserAuth
from smartxfer.errors import SmartxferError, UsageError
from smartxfer.filesender.site_address import parse_config
from smartxfer.jetstream import JetStream
from smartxfer.nrp import get_client
from smartxfer.smartfile import BasicClient
from tests.support.raw_server import Peer, RawServer, Request, answering

ONCE: Dict[str, Any] = {"retry": RetryPolicy(attempts=1), "timeout": 5.0}
#: Half a surrogate pair, as ``os.listdir`` gives for a byte that is not UTF-8.
HALVES = ["\ud800", "name-\udcff.txt"]

Step = Callable[[Any, Any], Any]


def _filesender(url: str) -> Any:
    return FileSenderClient(url, auth=UserAuth("ann", "0" * 64), **ONCE)


def _jetstream(url: str) -> Any:
    return JetStream().api(url, user="ann", password="secret", **ONCE)


CLIENTS: Dict[str, Callable[[str], Any]] = {
    "filesender": _filesender,
    "smartfile": lambda url: BasicClient("key", "password", url=url, **ONCE),
    "nrp": lambda url: get_client(url, token="token", **ONCE),
    "perseus": lambda url: PerseusClient(url, api_key="key", **ONCE),
    "jetstream": _jetstream,
}
#: By service: the calls that a name or an id goes into.
STEPS: Dict[str, List[Step]] = {
    "filesender": [
        lambda client, text: client.get("transfer", text),
        lambda client, text: client.get("transfer", argument=text),
        lambda client, text: client.upload_workflow([(text, b"data")], link=True),
    ],
    "smartfile": [
        lambda client, text: client.get("path/info", text),
        lambda client, text: client.get("path/info", argument=text),
        lambda client, text: client.post("path/oper/mkdir", path=text),
        lambda client, text: client.stat(text),
        lambda client, text: client.upload((text, b"data"), "/"),
    ],
    "nrp": [
        lambda client, text: client.get("records", text),
        lambda client, text: client.records.read(text),
        lambda client, text: client.records.create({"metadata": {"title": {text}}}),
    ],
    "perseus": [
        lambda client, text: client.get("file", text), lambda client, text: client.post("file", name={text}),
        lambda client, text: client.file.find_file(text), lambda client, text: client.file.delete_file(text),
    ],
    "jetstream": [
        lambda client, text: client.server.auth(text, text), lambda client, text: client.login_token(text),
        lambda client, text: client.ls(text), lambda client, text: client.send_files(text, "host"),
        lambda client, text: client.send.getTransfer(text),
    ],
}
CASES: List[Tuple[str, int]] = [(service, number) for service in STEPS for number in range(len(STEPS[service]))]


@pytest.fixture
def server() -> Iterator[RawServer]:
    def empty(request: Request, peer: Peer) -> None:
        peer.answer(404, b"{}", "Content-Type: application/json")

    with RawServer(answering(empty)) as running:
        yield running


@pytest.mark.parametrize(("service", "number"), CASES)
@pytest.mark.parametrize("text", HALVES)
def test_text_that_is_not_unicode(server: RawServer, service: str, number: int, text: str) -> None:
    """Detect the UnicodeEncodeError, TypeError or ValueError of a library."""
    client = CLIENTS[service](server.url)
    try:
        with pytest.raises(SmartxferError) as caught:
            STEPS[service][number](client, text)
    finally:
        client.close()
    assert not isinstance(caught.value, UnicodeError)
    assert all(text.encode("utf-8", "surrogatepass") not in request.body for request in server.requests)


@pytest.mark.parametrize("service", [name for name in CLIENTS if name != "jetstream"])  # which has no raw verbs
@pytest.mark.parametrize("endpoint", [None, 5, b"info", {}])
def test_an_endpoint_that_is_not_text(service: str, endpoint: Any) -> None:
    client = CLIENTS[service]("http://127.0.0.1:1")
    try:
        with pytest.raises(UsageError):
            client.get(endpoint)
    finally:
        client.close()


@pytest.mark.parametrize("files", [None, 5, 1.5])
def test_files_of_jetstream_that_are_no_list(files: Any) -> None:
    client = _jetstream("http://127.0.0.1:1")
    for step in (lambda: client.send_files(files, "host"), lambda: client.share(files), lambda: client.wait_all(files)):
        with pytest.raises(UsageError):
            step()
    client.close()


# -- numbers ---------------------------------------------------------------------------------------------

#: Digits of which ``str.isdigit`` is true and ``int`` makes nothing, and more than ``int`` takes.
NUMBERS = ["\u00b2", "9" * 5000]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_length_that_is_no_number(number: str) -> None:
    """Fails if a ValueError leaves a raw call."""
    text = number.encode("utf-8").decode("latin-1")

    def answer(request: Request, peer: Peer) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {text}\r\nConnection: close\r\n\r\n"
        peer.send(head.encode("latin-1") + b"data")
        peer.close()

    with RawServer(answering(answer)) as server, CLIENTS["smartfile"](server.url) as client:
        try:
            found = client.get("path/data", "a.txt").length
        except SmartxferError:
            found = None
    assert found is None


@pytest.mark.parametrize("number", NUMBERS)
def test_settings_and_ports_that_are_no_numbers(number: str) -> None:
    assert parse_config(f"upload_chunk_size: '{number}',").upload_chunk_size is None
    with pytest.raises(UsageError):
        JetStream().api("host", number)  # type: ignore[arg-type]
