"""Invalid code of a user of the clients: each line is an error."""

from __future__ import annotations

from smartxfer import (
    BasicClient,
    FileSenderClient,
    JetStream,
    OAuthClient,
    PerseusClient,
    RepositoryClient,
    SyncClient,
    get_client,
)
from smartxfer.filesender import Transfer
from smartxfer.jetstream import API
from smartxfer.perseus import File
from smartxfer.smartfile import Task

URL = "https://example.org"

get_client(URL, tiemout=3)  # type: ignore[call-arg]
RepositoryClient(URL, tiemout=3)  # type: ignore[call-arg]
RepositoryClient.from_environment(tiemout=3)  # type: ignore[call-arg]
FileSenderClient(URL, tiemout=3)  # type: ignore[call-arg]
FileSenderClient.from_environment(base_url=URL)  # type: ignore[call-arg]
BasicClient("key", "password", retires=3)  # type: ignore[call-arg]
BasicClient.from_environment(profil="work")  # type: ignore[call-arg]
OAuthClient("token", "secret", proxy={})  # type: ignore[call-arg]
SyncClient(BasicClient(), timeout=3)  # type: ignore[call-arg]
SyncClient.from_environment(max_worker=3)  # type: ignore[call-arg]
PerseusClient(api_key="k", vrify=False)  # type: ignore[call-arg]
JetStream().api("server", 8886, pasword="p")  # type: ignore[call-arg]
JetStream.from_uri("jetstream://server/connect", tiemout=3)  # type: ignore[call-arg]
API.from_uri("jetstream://server/connect", tiemout=3)  # type: ignore[call-arg]
API(netrc="keys")  # type: ignore[call-arg]

get_client(URL, timeout="3")  # type: ignore[arg-type]
PerseusClient(retry=3)  # type: ignore[arg-type]
BasicClient(max_workers="4")  # type: ignore[arg-type]
FileSenderClient(URL, cert=("client.pem",))  # type: ignore[arg-type]

with FileSenderClient(URL) as client:
    client.upload_worflow(["a"])  # type: ignore[attr-defined]
    client.upload_workflow([5])  # type: ignore[list-item]
    client.upload_workflow(["a"], {"recipient": ["b@example.org"]})  # type: ignore[typeddict-unknown-key]
    client.upload_workflow(["a"], {"options": {"get_a_lnk": True}})  # type: ignore[typeddict-item]
    client.create_guest({"from": "a@example.org", "recpient": "b@example.org"})  # type: ignore[typeddict-item]
    client.download_files("token", b"copies")  # type: ignore[arg-type]

with FileSenderClient.from_environment() as found:
    found.list_file("token")  # type: ignore[attr-defined]

with get_client(URL) as repository:
    repository.record  # type: ignore[attr-defined]  # noqa: B018
    repository.files.uplaod("id", "key", None, "a")  # type: ignore[attr-defined]
    repository.files.upload_many("id", [5])  # type: ignore[list-item]
    repository.files = repository.files  # type: ignore[misc]

with PerseusClient() as perseus:
    perseus.files  # type: ignore[attr-defined]  # noqa: B018
    perseus.file.upload_many([5])  # type: ignore[list-item]

with JetStream().api() as api:
    api.sned  # type: ignore[attr-defined]  # noqa: B018
    api.send_files([5], "far")  # type: ignore[list-item]

client.upload("a", exists="skip")  # type: ignore[call-arg]
client.upload("a", 5)  # type: ignore[arg-type]
client.download("token", pasword="p")  # type: ignore[call-arg]
client.sync("d", "x")  # type: ignore[attr-defined]
repository.upload("a")  # type: ignore[call-arg]
repository.files.upload("id", "key", {}, 5)  # type: ignore[arg-type]
repository.files.download("id", 5)  # type: ignore[call-overload]
repository.upload("a", "id", exists="rename")  # type: ignore[arg-type]
repository.upload_tree("d", "id", exlude="tmp")  # type: ignore[call-arg]
perseus.download("id")  # type: ignore[attr-defined]
perseus.upload_tree("d", "/folder")  # type: ignore[arg-type]
api.upload("a")  # type: ignore[attr-defined]

with BasicClient() as basic, SyncClient(basic) as sync:
    basic.upload("a", "/a", checksum=5)  # type: ignore[arg-type]
    basic.upload_many(["a"], "/", max_worker=3)  # type: ignore[call-arg]
    basic.upload_tree("d", "/d", include=5)  # type: ignore[arg-type]
    basic.create_link("/a", usage_limt=1)  # type: ignore[call-arg]
    basic.remove("/a").outcome  # type: ignore[attr-defined]  # noqa: B018
    sync.uplaod("a", "/a")  # type: ignore[attr-defined]


def show_transfer(transfer: Transfer) -> None: ...


def show_file(file: File) -> None: ...


def show_task(task: Task) -> None: ...


basic.wait("uuid", progress=show_transfer)  # type: ignore[arg-type]
basic.wait("uuid", progress=5)  # type: ignore[arg-type]
perseus.file.wait_for_file_upload("id", progress=show_task)  # type: ignore[arg-type]
perseus.file.wait_for_file_uploads(["id"], progress=5)  # type: ignore[arg-type]
repository.files.wait_fetch("id", "key", progress=show_file)  # type: ignore[arg-type]
