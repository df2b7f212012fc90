"""Every dictionary whose keys a protocol fixes: a misspelt key is a UsageError that names the nearest, and nothing is sent."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Dict, Iterator, NamedTuple, Tuple

import pytest

from smartxfer import BasicClient, FileSenderClient, JetStream, UserAuth
from smartxfer.errors import HTTPError, UsageError
from smartxfer.filesender import File
from smartxfer.local import LocalServer
from smartxfer.nrp import get_client


class Clients(NamedTuple):
    filesender: Any
    smartfile: Any
    nrp: Any
    jetstream: Any


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer() as running:
        yield running


@pytest.fixture(scope="module")
def clients(server: LocalServer) -> Iterator[Clients]:
    site, smart, near = server.filesender, server.smartfile, server.jetstream
    with FileSenderClient(site.url, auth=UserAuth(site.username, site.api_key)) as filesender, BasicClient(
        smart.key, smart.password, url=smart.url
    ) as smartfile, get_client(server.nrp.url, token=server.nrp.token) as nrp, JetStream().api(
        near.host, near.port, user=near.user, password=near.password
    ) as jetstream:
        yield Clients(filesender, smartfile, nrp, jetstream)


FILES = [("a.txt", b"1")]
GUEST = {"recipient": "bob@example.org", "from": "ann@example.org"}
WHOLE = {"files": [{"name": "a.txt", "size": 1}]}
FILE = File(id=1, name="a.txt", size=1)
#: What the argument is called -> (a call with a wrong key in it, the nearest known key).
ARGUMENTS: Dict[str, Tuple[Callable[[Clients], Any], str]] = {
    "transfer_args": (lambda c: c.filesender.upload_workflow(FILES, {"recipient": ["a@b.org"]}), "recipients"),
    "transfer_args.options": (lambda c: c.filesender.upload_workflow(FILES, {"options": {"get_link": True}}), "get_a_link"),
    "transfer_args.options list": (lambda c: c.filesender.upload_workflow(FILES, {"options": ["get_link"]}), "get_a_link"),
    "create_transfer": (lambda c: c.filesender.create_transfer({**WHOLE, "mesage": "x"}), "message"),
    "create_transfer.files": (
        lambda c: c.filesender.create_transfer({"files": [{"name": "a.txt", "size": 1, "mimetype": "x"}]}), "mime_type",
    ),
    "create_transfer.options": (
        lambda c: c.filesender.create_transfer({**WHOLE, "options": {"encrypt": True}}), "encryption",
    ),
    "update_transfer": (lambda c: c.filesender.update_transfer(1, {"close": True}), "closed"),
    "update_file": (lambda c: c.filesender.update_file(FILE, {"completed": True}), "complete"),
    "create_guest": (lambda c: c.filesender.create_guest({**GUEST, "subjcet": "x"}), "subject"),
    "create_guest.options": (lambda c: c.filesender.create_guest({**GUEST, "options": {"guests": {}}}), "guest"),
    "create_guest.options.guest": (
        lambda c: c.filesender.create_guest({**GUEST, "options": {"guest": {"does_not_expires": True}}}),
        "does_not_expire",
    ),
    "create_guest.options.transfer": (
        lambda c: c.filesender.create_guest({**GUEST, "options": {"transfer": {"get_link": True}}}), "get_a_link",
    ),
    "transfer_metadata": (
        lambda c: c.nrp.files.upload("abc", "k", {}, b"1", "multipart", {"partsize": 6 << 20}), "part_size",
    ),
    "LocalServer": (lambda c: LocalServer(services=["filesender"], filesender={"upload_chunk_sise": 1}), "upload_chunk_size"),
}  # fmt: skip


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_misspelt_key_names_the_nearest_and_nothing_is_sent(name: str, clients: Clients, server: LocalServer) -> None:
    call, meant = ARGUMENTS[name]
    before = _written(server)
    with pytest.raises(UsageError) as caught:
        call(clients)
    assert f"write {meant!r}" in caught.value.hint
    if name != "LocalServer":
        assert "extra=" in caught.value.hint
    assert _written(server) == before


#: Calls that send a field on purpose.
DELIBERATE: Dict[str, Callable[[Clients], Any]] = {
    "create_transfer": lambda c: c.filesender.create_transfer(WHOLE, extra={"brand_new": 1}),
    "create_guest": lambda c: c.filesender.create_guest(GUEST, extra={"brand_new": 1}),
    "create_link": lambda c: c.smartfile.create_link("/a.txt", extra={"brand_new": 1}),
    "createManifest": lambda c: c.jetstream.send.createManifest({"/a": "/b"}, extra={"brand_new": 1}),
}


@pytest.mark.parametrize("name", DELIBERATE)
def test_extra_sends_a_field_that_is_not_known(name: str, clients: Clients, server: LocalServer) -> None:
    server.smartfile.write("/a.txt", b"1")
    before = _written(server)
    with contextlib.suppress(HTTPError):  # whether the server takes the field is its own affair
        DELIBERATE[name](clients)
    assert _written(server) > before


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.filesender.create_transfer({**WHOLE, "subject": "a"}, extra={"subject": "b"}),
        lambda c: c.smartfile.create_link("/a.txt", extra={"usage_limit": 1}),
        lambda c: c.nrp.files.upload("abc", "k", {}, b"1", "multipart", extra={"parts": 1}),
        lambda c: c.jetstream.send.createSharedToken("1", extra={"downloadLimit": 1}),
    ],
)
def test_extra_holds_no_field_that_is_known(call: Any, clients: Clients, server: LocalServer) -> None:
    before = _written(server)
    with pytest.raises(UsageError, match="extra contains"):
        call(clients)
    assert _written(server) == before


def _written(server: LocalServer) -> int:
    """Requests that were not questions."""
    return sum(service.count("* *") - service.count("GET *") for service in server.services.values())
