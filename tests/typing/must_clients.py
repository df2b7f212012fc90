"""Valid code of a user of the clients, all of which type-checks."""

from __future__ import annotations

import io
from pathlib import Path
from typing import List, Optional

import requests

from smartxfer import (
    BasicClient,
    FileSenderClient,
    JetStream,
    JetStreamClient,
    OAuthClient,
    PerseusClient,
    RepositoryClient,
    RetryPolicy,
    SyncClient,
    SyncReport,
    TransferReport,
    UserAuth,
    get_client,
)
from smartxfer.filesender import Transfer
from smartxfer.jetstream import API
from smartxfer.nrp import File as RecordFile
from smartxfer.nrp import FileSink, FileSource, MemorySink, MemorySource
from smartxfer.nrp.files import FilesClient
from smartxfer.nrp.records import RecordsClient
from smartxfer.perseus import File
from smartxfer.perseus.files import FileService
from smartxfer.smartfile import Task
from smartxfer.transfer import FileResult

# -- settings of every client --------------------------------------------------------------------------


def settings(session: requests.Session, policy: RetryPolicy) -> None:
    FileSenderClient(
        "https://fs.example.org", timeout=(5, 60), retry=policy, session=session, verify="ca.pem",
        cert=("client.pem", "client.key"), cert_origins=["https://s3.example.org"], proxies={"https": "http://p:3128"},
        max_workers=8, profile="work", netrcfile="keys",
    )  # fmt: skip
    BasicClient("key", "password", timeout=3, netrcfile=Path("keys"))
    OAuthClient("token", "secret", timeout=3.5, netrcfile="keys", verify=Path("ca.pem"))
    RepositoryClient("https://repo.example.org", token="t", verify=False, cert="client.pem")
    get_client("https://repo.example.org", timeout=3, max_workers=2)
    get_client(alias="work", token="t", config_path=Path("config.json"))
    PerseusClient(api_key="k", retry=policy, proxies={})
    JetStream().api("server", 8886, user="ann", password="p", timeout=3)
    JetStream.from_uri("jetstream://server/connect", user="ann", timeout=3)
    API.from_uri("jetstream://server/connect", max_workers=2)


# -- the precise class ---------------------------------------------------------------------------------


class Mine(FileSenderClient):
    def extra(self) -> str:
        return ""


def precise() -> List[str]:
    mine: Mine = Mine.from_environment(timeout=3)
    with Mine(None) as with_extra, FileSenderClient.from_environment(chunk_size=5) as client:
        names = [with_extra.extra(), mine.extra(), client.get_server_info().name or ""]
    with BasicClient() as basic, OAuthClient.from_environment(version="2") as oauth:
        names += [info.name for info in basic.listdir()] + [oauth.get_request_token().token]
    with BasicClient.from_environment(throttle_wait=False) as basic, SyncClient(basic) as sync:
        method: Optional[str] = sync.upload("a", "/a").method
    with SyncClient.from_environment(timeout=3) as sync:
        sync.download(Path("a"), "/a")
    with RepositoryClient.from_environment() as repository:
        records: RecordsClient = repository.records
        files: FilesClient = repository.files
    with get_client() as repository, PerseusClient.from_environment() as perseus:
        service: FileService = perseus.file
        print(repository.records, service)
    with JetStream().api() as api, JetStreamClient.from_environment() as other:
        both: List[API] = [api, other]
        api.server.getServerInfo()
    return [*names, str(method), str(records), str(files), str(both)]


# -- files to send, and directories --------------------------------------------------------------------


def files(client: FileSenderClient, transfer: Transfer) -> Optional[str]:
    paths = ["a.txt", "b.txt"]
    more = [Path("a.txt"), Path("b.txt")]
    client.upload_workflow(paths, {"recipients": ["bob@example.org"]})
    client.upload_workflow(more, link=True)
    client.upload_workflow([("a.txt", b"bytes"), "b.txt", Path("c"), b"bytes", io.BytesIO(b"")], link=True)
    with open("a.txt", "rb") as file:
        client.upload_workflow([file, ("other.txt", file)], link=True, progress="label")
    results: TransferReport = client.download_files("token", "copies")
    first: FileResult = results[0]
    both: List[FileResult] = results[:2]
    client.download_files("token", Path("copies"), progress=True)
    client.download_file("token", 5, "copies")
    return transfer.download_url or str([first, *both])


def others(basic: BasicClient, repository: RepositoryClient, perseus: PerseusClient, api: API) -> None:
    basic.upload("a.txt")
    basic.upload(("a.txt", b"bytes"), "/d/")
    basic.upload_tree("d", "/d")
    basic.download_tree("/d", Path("d"))
    repository.files.upload_many("id", ["a.txt", Path("b"), ("c", b"bytes"), ("d", "path", {"title": "t"})])
    repository.files.upload_many("id", [Path("b"), Path("c")])
    repository.files.download_many("id", "directory")
    repository.files.sync_dir("id", Path("directory"), dry_run=True)
    perseus.file.upload_many(["a.txt", Path("b"), ("c", b"bytes"), b"bytes"])
    perseus.file.sync_dir("directory")
    api.send_files("/data/a.bin", "far")
    api.send_files(["/data/a.bin", ("/data/b.bin", "c.bin"), Path("/data/d")], ("far", 8886))


# -- the verbs that all clients share ------------------------------------------------------------------


def verbs(
    filesender: FileSenderClient, basic: BasicClient, repository: RepositoryClient, perseus: PerseusClient, api: API
) -> None:
    one: FileResult = filesender.upload("a.txt")
    one = filesender.upload(("a.txt", b"bytes"), ["ann@example.org"], subject="s", progress=True, deadline=60)
    one = basic.upload(Path("a.txt"), "/d/", exists="skip", checksum="md5")
    one = repository.upload("a.txt", "id/key", exists="replace", metadata={"title": "t"})
    one = perseus.upload(io.BytesIO(b""), "name.txt", wait=True)
    one = filesender.download("token/name", io.BytesIO(), password="p")
    one = basic.download(one.item, "d", exists="newer")
    one = repository.download("id/key")
    several: TransferReport = filesender.upload_many(["a.txt", Path("b")], max_workers=2)
    several = basic.upload_many("a.txt", "/d")
    several = repository.upload_many([("c", b"bytes"), ("d", "path", {"title": "t"})], "id")
    several = perseus.upload_many(["a.txt"], wait=True)
    for client in (basic, repository):
        several = client.upload_tree("d", "target", include="*.csv", exclude=["tmp"], dry_run=True)
        several = client.download_tree("source", Path("d"), include=["*.csv"], dry_run=True)
        report: SyncReport = client.sync("d", "target", delete=True, max_delete=0.1)
    several = filesender.upload_tree("d", None, follow_symlinks=True)
    several = filesender.download_many(["token/name"], "d")
    report = perseus.sync(Path("d"), dry_run=True)
    names: List[str] = [file.name for file in filesender.list("token")] + [info.path for info in basic.list("/")]
    names += [file.key for file in repository.list("id")] + [file.id for file in perseus.list()]
    names += [basic.info("/a").name, repository.info("id/key").key, perseus.info("id").name]
    there: bool = basic.exists("/a") and repository.exists("id/key") and filesender.exists("token/name")
    basic.remove("/a")
    repository.remove("id/key")
    perseus.remove("id")
    api.remove("/a")
    print(one.url, several.failed, report.deleted, names, there, api.list("/"))


def sinks(repository: RepositoryClient, file: RecordFile) -> List[bytes]:
    path: Path = repository.files.download(file, "copy")
    path = repository.files.download("id", "key", Path("copy"))
    path = repository.files.download("id", key="key", sink="copy")
    memory: MemorySink = repository.files.download(file, MemorySink())
    named: FileSink = repository.files.download("id", "key", FileSink("copy"))
    with open("copy", "wb") as opened:
        repository.files.download(file, opened).close()
    repository.files.upload("id", "key", {}, MemorySource(b"bytes"))
    repository.files.upload("id", "key", None, FileSource("a"))
    return [path.read_bytes(), memory.data, named.path.read_bytes()]


# -- waits ---------------------------------------------------------------------------------------------


def show_task(task: Task) -> None: ...


def show_file(file: File) -> None: ...


def waits(basic: BasicClient, repository: RepositoryClient, perseus: PerseusClient, api: API) -> None:
    for label in (None, True, False, "label"):
        basic.wait("uuid", progress=label)
        repository.files.wait_fetch("id", "key", progress=label)
        perseus.file.wait_for_file_upload("id", progress=label)
        perseus.file.wait_for_file_uploads(["id"], progress=label)
        api.wait_all([], progress=label)
    basic.wait("uuid", progress=show_task)
    repository.files.wait_fetch("id", "key", progress=lambda file: file.status)
    perseus.file.wait_for_file_uploads(["id"], progress=show_file)


# -- a user of an account -------------------------------------------------------------------------------

with FileSenderClient("https://fs.example.org", auth=UserAuth("ann", "k3y"), timeout=10) as ann:
    ann.upload_workflow(["report.pdf"], {"recipients": ["bob@example.org"]})
