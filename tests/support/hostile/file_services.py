"""Each service: what its server holds, and the calls of its workflow with the request that a hostile server spoils."""

from __future__ import annotations

import itertools
import os
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Optional

from smartxfer import BasicClient, FileSenderClient, OAuthClient, SyncClient, UserAuth
from smartxfer.nrp import get_client

KIB = 1 << 10
#: What is sent, and what is there to be fetched.  A part is larger than what sockets take unread.
PART = 512 * KIB
SENT = bytes(range(256)) * (4 * KIB + 1)
FETCHED = {"a.bin": bytes(range(256)) * 400, "b.txt": b"b" * 3000}
PASSWORD = "Correct-Horse-7-Battery"
METADATA = {
    "title": "Reads of a run",
    "resource_type": {"id": "dataset"},
    "publication_date": "2026-11-20",
    "publisher": "P",
    "creators": [{"person_or_org": {"type": "personal", "family_name": "Doe", "given_name": "Jo"}}],
}

_numbers = itertools.count()


class Work:
    """Arguments and files of one call.

    :param directory: its own; downloads go to ``out``.
    :param facts: what the server reported of its content.
    :param wait: seconds for calls that wait.
    :param options: ``deadline=`` where that is tried.
    """

    def __init__(self, directory: Path, facts: Dict[str, Any], wait: float, **options: Any) -> None:
        self.directory = directory
        self.out = directory / "out"
        self.facts = facts
        self.wait = wait
        self.options = options
        #: Bytes of the latest source.
        self.size = 0

    def source(self, data: bytes = SENT) -> Path:
        """A file of a name and content that no other has."""
        path = self.directory / f"sent-{os.getpid()}-{next(_numbers)}.bin"
        path.write_bytes(data + path.name.encode())
        self.size = path.stat().st_size
        return path


class Phase(NamedTuple):
    """A call, and the request of it that is spoilt.

    :param match: the beginning of that request, a pattern: method, path, the method of JSON-RPC.
    :param ends: the call takes ``deadline=``.
    :param looks: after a lost answer the client looks what is there, and may find that all is well; this shows
        whether it is: (client, work, result).
    """

    match: str
    call: Callable[[Any, Work], Any]
    ends: bool = False
    looks: Optional[Callable[[Any, Work, Any], bool]] = None


def targets(site: Any) -> Dict[str, str]:
    return {"": site.url}


def origin_of(url: str) -> str:
    return url[: -len("/storage")] if url.endswith("/storage") else url


# -- FileSender ------------------------------------------------------------------------------------------------


def plant_filesender(server: Any) -> Dict[str, Any]:
    site = server.filesender
    facts = {"user": site.username, "key": site.api_key}
    with filesender(site.url, facts) as client:
        files = list(FETCHED.items())
        facts["token"] = client.upload_workflow(files, link=True).token
        encrypted = client.upload_workflow(files, link=True, password=PASSWORD)
        facts["encrypted"] = encrypted.token
        facts["transfer"] = encrypted.id
    return facts


def filesender(url: str, facts: Dict[str, Any], **options: Any) -> Any:
    return FileSenderClient(url, auth=UserAuth(facts["user"], facts["key"]), **options)


def _send(client: Any, work: Work, **options: Any) -> Any:
    return client.upload_workflow([work.source()], link=True, **options, **work.options)


def _is_sent(client: Any, work: Work, result: Any) -> bool:
    found = client.transfers.get(result.id)
    return bool(found.files[0].size == work.size and result.results[0].bytes == work.size)


def _is_fetched(client: Any, work: Work, result: Any) -> bool:
    return {path.name: path.read_bytes() for path in work.out.iterdir()} == FETCHED


def _fetch(client: Any, work: Work) -> Any:
    return client.download_files(work.facts["token"], work.out, **work.options)


def _fetch_encrypted(client: Any, work: Work) -> Any:
    return client.download_files(work.facts["encrypted"], work.out, password=PASSWORD, **work.options)


def _fetch_archive(client: Any, work: Work, form: str) -> Any:
    return client.download_archive(work.facts["token"], work.out / f"all.{form}", archive_format=form, **work.options)


FILESENDER = {
    "limits": Phase(r"GET /rest.php/info", _send, True, _is_sent),
    "creation": Phase(r"POST /rest.php/transfer", _send, True, _is_sent),
    "upload": Phase(r"PUT /rest.php/file/\d+/chunk", _send, True, _is_sent),
    "file completion": Phase(r"PUT /rest.php/file/\d+(\?|$)", _send, True, _is_sent),
    "completion": Phase(r"PUT /rest.php/transfer", _send, True, _is_sent),
    "listing": Phase(r"GET /rest.php/transfer", lambda client, work: client.transfers.list()),
    "page": Phase(r"GET /(index.php)?\?s=download", _fetch, True, _is_fetched),
    "download": Phase(r"GET /download.php", _fetch, True, _is_fetched),
    # A transfer that is already deleted is not an error.
    "delete": Phase(
        r"DELETE /rest.php/transfer",
        lambda client, work: client.transfers.delete(10**6),
        looks=lambda client, work, found: 10**6 not in [transfer.id for transfer in client.transfers.list()],
    ),
    "zip": Phase(r"(GET|POST) /download.php", partial(_fetch_archive, form="zip"), True),
    "tar": Phase(r"(GET|POST) /download.php", partial(_fetch_archive, form="tar"), True),
    "encrypted upload": Phase(r"PUT /rest.php/file/\d+/chunk", partial(_send, password=PASSWORD), True),
    "encrypted page": Phase(r"GET /(index.php)?\?s=download", _fetch_encrypted, True, _is_fetched),
    "encrypted download": Phase(r"GET /download.php", _fetch_encrypted, True, _is_fetched),
}


# -- NRP -------------------------------------------------------------------------------------------------------


def plant_nrp(server: Any) -> Dict[str, Any]:
    site = server.nrp
    return {"token": site.token, "record": site.create(FETCHED), "drafts": [site.create() for _ in range(40)]}


def nrp(url: str, facts: Dict[str, Any], **options: Any) -> Any:
    return get_client(url, token=facts["token"], **options)


def _draft(client: Any, work: Work) -> str:
    """A draft of the calls of this directory: those with hundreds of files are slow to list."""
    drafts = work.facts["drafts"]
    return f"{client.base_url}/api/records/{drafts[int(work.directory.name) % len(drafts)]}/draft"


def _put(client: Any, work: Work, **options: Any) -> Any:
    path = work.source()
    return client.files.upload(_draft(client, work), path.name, None, path, **options, **work.options)


def _is_put(client: Any, work: Work, result: Any) -> bool:
    found = client.files.read(_draft(client, work), result.key)
    return bool(found.status == "completed" and found.size == work.size)


def _fetch_record(client: Any, work: Work) -> Any:
    return client.files.download_many(work.facts["record"], work.out, **work.options)


_put_parts = partial(_put, transfer_type="multipart", part_size=PART)
_FILES = r"/api/records/[^/]+(/draft)?/files"
NRP = {
    # One that tells nothing of itself is taken for a plain InvenioRDM.
    "discovery": Phase(
        r"GET /\.well-known",
        lambda client, work: client.repository,
        looks=lambda client, work, found: found.version == "RDM",
    ),
    "creation": Phase(r"POST /api/records", lambda client, work: client.records.create({"metadata": METADATA})),
    "file creation": Phase("POST " + _FILES + "$", _put, True, _is_put),
    "upload": Phase("PUT " + _FILES + "/[^/]+/content$", _put, True, _is_put),
    "completion": Phase("POST " + _FILES + "/[^/]+/commit", _put, True, _is_put),
    "multipart creation": Phase("POST " + _FILES + "$", _put_parts, True, _is_put),
    "part upload": Phase(r"PUT /storage/", _put_parts, True, _is_put),
    "multipart completion": Phase("POST " + _FILES + "/[^/]+/commit", _put_parts, True, _is_put),
    "listing": Phase("GET " + _FILES + "$", lambda client, work: client.files.list(work.facts["record"])),
    "search": Phase(r"GET /api/(user/)?records\?", lambda client, work: list(client.records.search("reads"))),
    "download": Phase("GET " + _FILES + "/[^/]+/content", _fetch_record, True, _is_fetched),
    "storage download": Phase(r"GET /storage/", _fetch_record, True),
    "delete": Phase("DELETE " + _FILES, lambda client, work: client.files.delete(_draft(client, work), "no.bin")),
    "wait": Phase(
        "GET " + _FILES + "/",
        lambda client, work: client.files.wait_fetch(work.facts["record"], "a.bin", timeout=work.wait),
    ),
}


# -- SmartFile -------------------------------------------------------------------------------------------------


def plant_smartfile(server: Any) -> Dict[str, Any]:
    site = server.smartfile
    for name, data in FETCHED.items():
        site.write(f"/docs/{name}", data)
    site.mkdir("/up")
    site.write("/up/sync.bin", OLD)
    access = site.backend.oauth.grant(site.client_token)
    return {"login": [site.key, site.password], "oauth": [site.client_token, site.client_secret, *access]}


def smartfile(url: str, facts: Dict[str, Any], **options: Any) -> Any:
    return BasicClient(*facts["login"], url=url, **options)


def _up(client: Any, work: Work) -> Any:
    return client.upload(work.source(), "/up/", **work.options)


def _is_up(client: Any, work: Work, result: Any) -> bool:
    return bool(client.stat(result.name).size == result.bytes == work.size)


def _down(client: Any, work: Work) -> Any:
    return client.download("/docs/a.bin", work.out / "a.bin", **work.options)


def _with_oauth(call: Callable[[Any, Work], Any]) -> Callable[[Any, Work], Any]:
    """The call by a client of OAuth, of the same settings."""

    def through(client: Any, work: Work) -> Any:
        options = {"retry": client._retry, "timeout": client._timeout}
        with OAuthClient(*work.facts["oauth"], url=client.base_url, **options) as other:
            return call(other, work)

    return through


def _access_token(client: Any, work: Work) -> Any:
    client.get_request_token()
    return client.get_access_token(verifier="1")


def _sync_up(client: Any, work: Work) -> Any:
    return SyncClient(client).upload(work.source(), "/up/sync.bin", **work.options)


def _sync_down(client: Any, work: Work) -> Any:
    work.out.mkdir(exist_ok=True)
    (work.out / "a.bin").write_bytes(OLD)
    return SyncClient(client).download(work.out / "a.bin", "/docs/a.bin", exists="replace", **work.options)


def _is_synced(client: Any, work: Work, result: Any) -> bool:
    return bool(client.stat(result.name).size == work.size)


def _is_synced_down(client: Any, work: Work, result: Any) -> bool:
    return (work.out / "a.bin").read_bytes() == FETCHED["a.bin"]


#: The previous content of the target of a synchronised file.
OLD = FETCHED["a.bin"][:90_000] + b"old"

SMARTFILE = {
    "upload": Phase(r"POST /api/2/path/data", _up, True, _is_up),
    "directory": Phase(
        r"(POST|PUT) /api/2/path/oper/mkdir",
        lambda client, work: client.mkdir("/up"),
        looks=lambda client, work, found: client.stat("/up").isdir,
    ),
    "listing": Phase(r"GET /api/2/path/info", lambda client, work: client.listdir("/docs")),
    "download": Phase(r"GET /api/2/path/data", _down, True),
    "tree": Phase(
        r"GET /api/2/path/data",
        lambda client, work: client.download_tree("/docs", work.out, **work.options),
        True,
    ),
    "delete": Phase(
        r"POST /api/2/path/oper/remove", lambda client, work: client.remove("/nothing", timeout=work.wait)
    ),
    "wait": Phase(
        r"GET /api/2/task", lambda client, work: client.checksum("/docs/a.bin", "MD5", timeout=work.wait)
    ),
    "links": Phase(r"GET /api/2/link", lambda client, work: client.links()),
    "oauth request": Phase(
        r"POST /oauth/request_token", _with_oauth(lambda client, work: client.get_request_token())
    ),
    "oauth access": Phase(r"POST /oauth/access_token", _with_oauth(_access_token)),
    "oauth upload": Phase(r"POST /api/2/path/data", _with_oauth(_up), True, _is_up),
    "oauth listing": Phase(r"GET /api/2/path/info", _with_oauth(lambda client, work: client.listdir("/docs"))),
    # What goes wrong with a difference is followed by the whole file.
    "sync signature": Phase(r"GET /api/2/path/sync/signature", _sync_up, True, _is_synced),
    "sync patch": Phase(r"POST /api/2/path/sync/patch", _sync_up, True, _is_synced),
    "sync delta": Phase(r"POST /api/2/path/sync/delta", _sync_down, True, _is_synced_down),
}
