"""The repr of every public object: one short line without an address in memory and without a secret."""

from __future__ import annotations

import enum
import importlib
import inspect
import io
import pkgutil
import re
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Type

import pytest

import smartxfer
from smartxfer import credentials, delta, filesender, jetstream, nrp, perseus, smartfile, transfer, transport
from smartxfer.jetstream.auth import CREDENTIAL_SPEC
from smartxfer.local import LocalServer
from smartxfer.models import Model

SECRET = "s3cr3t-0123456789"
LONG = "x" * 300


class World:
    """A running local server, a client of each service, and what they returned."""

    def __init__(self, server: LocalServer, directory: Path) -> None:
        self.server, self.directory = server, directory
        site = server.filesender
        self.filesender = smartxfer.FileSenderClient(site.url, auth=smartxfer.UserAuth(site.username, site.api_key))
        self.transfer = self.filesender.upload_workflow([("a.bin", b"1")])
        smart = server.smartfile
        self.smartfile = smartxfer.BasicClient(smart.key, smart.password, url=smart.url)
        self.smartfile.upload(b"1", "/a.bin")
        self.nrp = nrp.get_client(server.nrp.url, token=server.nrp.token)
        self.draft = server.nrp.create({"a.bin": b"1"})
        self.record = self.nrp.records.draft_records.read(self.draft)
        self.perseus = smartxfer.PerseusClient(server.perseus.url, api_key=server.perseus.api_key)
        near, far = server.jetstream, server.jetstream_peer
        near.write("/docs/a.bin", b"1")
        self.api = smartxfer.JetStream().api(near.host, near.port, user=near.user, password=near.password)
        self.sent = self.api.send_files("/docs", (far.host, far.port))

    @property
    def secrets(self) -> List[str]:
        server = self.server
        return [
            SECRET, server.filesender.api_key, server.smartfile.key, server.smartfile.password, server.nrp.token,
            server.perseus.api_key, server.jetstream.password,
        ]  # fmt: skip

    def directory_of_one_file(self) -> Path:
        folder = self.directory / "folder"
        folder.mkdir(exist_ok=True)
        (folder / "b.bin").write_bytes(b"2")
        return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with LocalServer() as server:
        made = World(server, tmp_path_factory.mktemp("reprs"))
        yield made
        for client in (made.filesender, made.smartfile, made.nrp, made.perseus, made.api):
            client.close()


def _fs_guest(world: World) -> Any:
    return world.filesender.create_guest({"recipient": "bob@example.org", "from": world.server.filesender.username})


def _entry(world: World) -> Any:
    return nrp.RepositoryConfig(alias="a", url=world.server.nrp.url, token=SECRET)


def _old_source(world: World) -> Any:
    (world.directory / "old.bin").write_bytes(b"1")
    return transfer.PathSource(world.directory / "old.bin")


def _wire(world: World) -> Any:
    return world.filesender._http


#: How to obtain an instance of each public class, by module and name.
INSTANCES: Dict[str, Callable[[World], Any]] = {
    "smartxfer.BasicClient": lambda world: world.smartfile,
    "smartxfer.OAuthClient": lambda world: smartfile.OAuthClient(SECRET, SECRET, SECRET, SECRET, url="http://127.0.0.1:1"),
    "smartxfer.FileSenderClient": lambda world: world.filesender,
    "smartxfer.SyncClient": lambda world: smartxfer.SyncClient(world.smartfile),
    "smartxfer.RepositoryClient": lambda world: world.nrp,
    "smartxfer.PerseusClient": lambda world: world.perseus,
    "smartxfer.JetStream": lambda world: smartxfer.JetStream(),
    "smartxfer.JetStreamClient": lambda world: world.api,
    "smartxfer.RetryPolicy": lambda world: smartxfer.RetryPolicy(attempts=3, backoff=0.1, budget=7.0),
    "smartxfer.Auth": lambda world: filesender.Auth(),
    "smartxfer.UserAuth": lambda world: filesender.UserAuth("ann@example.org", SECRET),
    "smartxfer.GuestAuth": lambda world: filesender.GuestAuth(SECRET),
    "smartxfer.credentials.BaseURLKind": lambda world: credentials.BaseURLKind.LINK,
    "smartxfer.credentials.Credentials": lambda world: world.nrp._credentials,
    "smartxfer.credentials.SecretFile": lambda world: credentials.read_secret_file(__file__),
    "smartxfer.credentials.CredentialSpec": lambda world: CREDENTIAL_SPEC,
    "smartxfer.delta.Signature": lambda world: delta.read_signature(io.BytesIO(bytes.fromhex("727301360000080000000008"))),
    "smartxfer.filesender.AuditEntry": lambda world: filesender.AuditEntry.from_wire({"date": {"raw": 1}, "event": LONG}),
    "smartxfer.filesender.DownloadFile": lambda world: world.filesender.list_files(world.transfer.download_url)[0],
    "smartxfer.filesender.File": lambda world: world.transfer.files[0],
    "smartxfer.filesender.Guest": _fs_guest,
    "smartxfer.filesender.Quota": lambda world: filesender.Quota.from_wire({"total": 1, "used": 0, "available": 1}),
    "smartxfer.filesender.Recipient": lambda world: filesender.Recipient.from_wire({"id": 1, "token": SECRET, "email": LONG}),
    "smartxfer.filesender.ServerInfo": lambda world: world.filesender.get_server_info(),
    "smartxfer.filesender.Transfer": lambda world: world.transfer,
    "smartxfer.jetstream.Connection": lambda world: jetstream.Connection.from_wire({"connectionId": "1"}),
    "smartxfer.jetstream.Destination": lambda world: world.api.send.getDestinations()[0],
    "smartxfer.jetstream.Event": lambda world: world.api.server.getEventLog()[0],
    "smartxfer.jetstream.Manifest": lambda world: world.api.send.createManifest({"/x": "/docs"}),
    "smartxfer.jetstream.ReceiveTransfer": lambda world: jetstream.ReceiveTransfer.from_wire({"transferId": "1"}),
    "smartxfer.jetstream.Request": lambda world: world.api.server.lsAsync("/docs"),
    "smartxfer.jetstream.RequestStatus": lambda world: jetstream.RequestStatus.from_wire({"requestId": "1", "status": "Running"}),
    "smartxfer.jetstream.ServerInfo": lambda world: world.api.server.getServerInfo(),
    "smartxfer.jetstream.Share": lambda world: world.api.share("/docs"),
    "smartxfer.jetstream.Source": lambda world: jetstream.Source.from_wire({"sourceId": "1"}),
    "smartxfer.jetstream.Status": lambda world: world.sent.status,
    "smartxfer.jetstream.Token": lambda world: jetstream.Token.from_wire({"token": SECRET}),
    "smartxfer.jetstream.Transfer": lambda world: world.sent,
    "smartxfer.local.Fault": lambda world: world.server.fault("filesender", "GET /never/" + LONG, "status 503"),
    "smartxfer.local.LocalServer": lambda world: world.server,
    "smartxfer.nrp.Config": lambda world: nrp.Config(repositories=[_entry(world)], default_alias="a"),
    "smartxfer.nrp.File": lambda world: world.nrp.files.read(world.record, "a.bin"),
    "smartxfer.nrp.FileLinks": lambda world: world.nrp.files.read(world.record, "a.bin").links,
    "smartxfer.nrp.FileSink": lambda world: nrp.FileSink(world.directory / "sink"),
    "smartxfer.nrp.FileSource": lambda world: nrp.FileSource(world.directory / "source"),
    "smartxfer.nrp.FileStatus": lambda world: nrp.FileStatus("completed"),
    "smartxfer.nrp.Identity": lambda world: world.nrp.whoami(),
    "smartxfer.nrp.MemorySink": lambda world: nrp.MemorySink(),
    "smartxfer.nrp.MemorySource": lambda world: nrp.MemorySource(b"1"),
    "smartxfer.nrp.Record": lambda world: world.record,
    "smartxfer.nrp.RecordList": lambda world: world.nrp.records.draft_records.search(),
    "smartxfer.nrp.RecordStatus": lambda world: nrp.RecordStatus.DRAFT,
    "smartxfer.nrp.RepositoryConfig": lambda world: _entry(world),
    "smartxfer.nrp.RepositoryInfo": lambda world: world.nrp.repository,
    "smartxfer.nrp.StandardInput": lambda world: nrp.StandardInput(),
    "smartxfer.perseus.File": lambda world: world.perseus.file.upload_file(("a.bin", b"1")),
    "smartxfer.perseus.FileStatus": lambda world: perseus.FileStatus("uploaded"),
    "smartxfer.smartfile.Info": lambda world: world.smartfile.stat("/a.bin"),
    "smartxfer.smartfile.Link": lambda world: world.smartfile.create_link("/a.bin", password=SECRET),
    "smartxfer.smartfile.OAuthToken": lambda world: smartfile.OAuthToken(SECRET, SECRET),
    "smartxfer.smartfile.Task": lambda world: smartfile.Task.from_wire({"uuid": "1", "result": {"status": LONG}}),
    "smartxfer.transfer.BytesSource": lambda world: transfer.BytesSource(b"1"),
    "smartxfer.transfer.DirectoryStorage": lambda world: transfer.DirectoryStorage(),
    "smartxfer.FileResult": lambda world: world.transfer.results[0],
    "smartxfer.transfer.FileSink": lambda world: transfer.FileSink(world.directory / "sink"),
    "smartxfer.transfer.Journal": lambda world: transfer.Journal({"service": SECRET}, "a test"),
    "smartxfer.transfer.OpenFileSource": lambda world: transfer.OpenFileSource(io.BytesIO(b"1")),
    "smartxfer.transfer.TransferRunner": lambda world: transfer.TransferRunner(policy=smartxfer.RetryPolicy(), max_workers=1),
    "smartxfer.transfer.PathSource": _old_source,
    "smartxfer.transfer.ProgressEvent": lambda world: transfer.ProgressEvent("a.bin", 0, 1, "moving"),
    "smartxfer.transfer.StreamSink": lambda world: transfer.StreamSink(io.BytesIO()),
    "smartxfer.SyncReport": lambda world: world.nrp.files.sync_dir(world.draft, world.directory_of_one_file()),
    "smartxfer.TransferReport": lambda world: smartxfer.SyncClient(world.smartfile).upload_tree(world.directory_of_one_file(), "/q"),
    "smartxfer.transport.BufferedResponse": lambda world: _wire(world).request(transport.RequestSpec("GET", f"{world.server.nrp.url}/api/records")),
    "smartxfer.transport.Attempt": lambda world: transport.Attempt(),
    "smartxfer.transport.Body": lambda world: transport.Body.JSON,
    "smartxfer.transport.RequestSpec": lambda world: transport.RequestSpec("GET", f"http://127.0.0.1/a?token={SECRET}", params=[("token", SECRET)]),
    "smartxfer.transport.Origin": lambda world: transport.Origin.parse("http://127.0.0.1/a"),
    "smartxfer.transport.Success": lambda world: transport.Success({200, 201}),
    "smartxfer.transport.RetryState": lambda world: _wire(world)._new_retry_state(transport.RequestSpec("GET", f"http://127.0.0.1/a?token={SECRET}")),
    "smartxfer.transport.HTTPTransport": _wire,
}  # fmt: skip
#: Made by hand in tests of their own: dictionaries for type checkers, and what needs the vendor's package.
WITHOUT = {"smartxfer.jetstream_bridge.Bridge"}


def _public_classes() -> Dict[str, Type[Any]]:
    found: Dict[str, Type[Any]] = {}
    names = ["smartxfer"] + [f"smartxfer.{one.name}" for one in pkgutil.iter_modules(smartxfer.__path__) if one.ispkg]
    for module in (importlib.import_module(name) for name in sorted(names)):
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if inspect.isclass(value) and value not in found.values():
                found[f"{module.__name__}.{name}"] = value
    return found


def _has_instances(kind: Type[Any]) -> bool:
    typed = issubclass(kind, dict) or getattr(kind, "_is_protocol", False)
    return not (issubclass(kind, BaseException) or typed)


CLASSES = {
    name: kind
    for name, kind in _public_classes().items()
    if _has_instances(kind) and name not in WITHOUT and ".demo." not in name
}


def _check(shown: str, secrets: List[str]) -> None:
    assert 0 < len(shown) <= 200, shown
    assert shown.splitlines() == [shown]
    assert " at 0x" not in shown
    assert [secret for secret in secrets if secret in shown] == []


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_public_object_is_shown_in_one_short_line(name: str, world: World) -> None:
    thing = INSTANCES[name](world)
    if isinstance(thing, transfer.Journal):
        thing.close()
    assert isinstance(thing, CLASSES[name]) or issubclass(CLASSES[name], (str, enum.Enum))
    before = sum(len(service.requests) for service in world.server.services.values())
    _check(repr(thing), world.secrets)
    assert sum(len(service.requests) for service in world.server.services.values()) == before, "repr sends nothing"


def test_no_entry_is_left_over() -> None:
    assert set(INSTANCES) == set(CLASSES)


def test_namespaces_and_searches(world: World) -> None:
    search = world.nrp.records.draft_records.search()
    records, drafts = world.nrp.records, world.nrp.records.with_model("documents").draft_records
    interfaces = [world.api.server, world.api.send, world.api.recv]
    for thing in (records, drafts, search, world.nrp.files, world.perseus.file, *interfaces):
        _check(repr(thing), world.secrets)
    assert repr(records) == f"<RecordsClient of {world.server.nrp.url}>"
    assert repr(drafts) == f"<RecordsClient of {world.server.nrp.url}, model 'documents', draft only>"
    assert repr(search) == "RecordList(hits=1, total=1)"
    scan = world.nrp.records.draft_records.scan()
    assert repr(scan) == "<RecordSearch, not fetched yet>"
    assert scan.total == 1
    assert repr(scan) == "<RecordSearch, 1 hits>"


def test_services_of_the_local_server(world: World) -> None:
    for name, service in world.server.services.items():
        assert repr(service) == f"<{name} at {service.url}>"


@pytest.mark.parametrize(
    "make",
    [
        lambda: smartxfer.FileSenderClient("http://127.0.0.1:1"), smartxfer.BasicClient,
        smartxfer.RepositoryClient, smartxfer.PerseusClient, jetstream.API,
    ],
)
def test_a_repr_looks_nothing_up(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any, **options: Any) -> None:
        raise AssertionError("credentials are looked up")

    monkeypatch.setattr("smartxfer.credentials.resolve_credentials", never)
    client = make()
    parts = [getattr(client, name) for name in ("records", "files", "file", "server", "send") if hasattr(type(client), name)]
    for thing in [client, *parts]:
        _check(repr(thing), [])
    with pytest.raises(AssertionError, match="looked up"):
        client.explain_credentials()


def test_a_long_structure_is_cut() -> None:
    thing = filesender.Recipient.from_wire({"id": 1, "email": LONG, "token": SECRET})
    assert repr(thing).startswith("Recipient(id=1, ")
    assert len(repr(thing)) <= 200
    assert isinstance(thing, Model)
    assert re.search(r"x\.\.\.", repr(thing))
