"""Each service: what its server holds, and the calls of its workflow with the request that a hostile server spoils."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

from smartxfer import JetStream, PerseusClient
from tests.support.hostile import file_services as files
from tests.support.hostile.file_services import FETCHED, PART, Phase, Work, origin_of, targets

# -- Perseus ---------------------------------------------------------------------------------------------------


def _plant_perseus(server: Any) -> Dict[str, Any]:
    site = server.perseus
    with PerseusClient(site.url, api_key=site.api_key) as client:
        return {"key": site.api_key, "id": client.file.upload_file(_a_file(server), wait=True).id}


def _a_file(server: Any) -> Path:
    path = Path(server.data) / "planted.txt"
    path.write_bytes(b"planted")
    return path


def _perseus(url: str, facts: Dict[str, Any], **options: Any) -> Any:
    return PerseusClient(url, api_key=facts["key"], **options)


def _record(client: Any, work: Work) -> Any:
    return client.file.upload_file(work.source(), wait=True, timeout=work.wait, **work.options)


def _is_stored(client: Any, work: Work, result: Any) -> bool:
    return bool(client.file.find_file(result.id).status == "uploaded")


def _is_mirrored(client: Any, work: Work, result: Any) -> bool:
    return all(client.file.exists(path) for path in (work.directory / "mirror").iterdir())


def _mirror(client: Any, work: Work) -> Any:
    folder = work.directory / "mirror"
    folder.mkdir(exist_ok=True)
    path = work.source()
    path.rename(folder / path.name)
    return client.file.sync_dir(folder, **work.options)


PERSEUS = {
    "creation": Phase(r"POST /api/v0/file$", _record, True),
    "upload": Phase(r"PUT /storage/", _record, True, _is_stored),
    "completion": Phase(r"POST /api/v0/file/find", _record, True, _is_stored),
    "sync": Phase(r"POST /api/v0/file/find", _mirror, True),
    "sync upload": Phase(r"PUT /storage/", _mirror, True, _is_mirrored),
    "listing": Phase(r"POST /api/v0/file/find", lambda client, work: client.file.find_file(work.facts["id"])),
    "delete": Phase(
        r"DELETE /api/v0/file/",
        lambda client, work: client.file.delete_file("nothing"),
        looks=lambda client, work, found: client.file.find_file("nothing") is None,
    ),
    "wait": Phase(
        r"POST /api/v0/file/find",
        lambda client, work: client.file.wait_for_file_upload(work.facts["id"], 0.05, timeout=work.wait),
    ),
}


# -- JetStream -------------------------------------------------------------------------------------------------


def _plant_jetstream(server: Any) -> Dict[str, Any]:
    site = server.jetstream
    site.write("/a.bin", FETCHED["a.bin"])
    return {"user": site.user, "password": site.password, "peer": ["127.0.0.1", server.jetstream_peer.port]}


def _jetstream(url: str, facts: Dict[str, Any], **options: Any) -> Any:
    return JetStream().api(url, user=facts["user"], password=facts["password"], **options)


def _rpc(method: str) -> str:
    return rf"POST /jsonrpc/{method}$"


def _send_files(client: Any, work: Work) -> Any:
    into = f"/in-{os.getpid()}-{work.directory.name}"
    return client.send_files(["/a.bin"], tuple(work.facts["peer"]), into=into, timeout=work.wait, **work.options)


JETSTREAM = {
    "connection": Phase(_rpc("getServerInfo"), lambda client, work: client.connect()),
    "login": Phase(_rpc("auth.*"), lambda client, work: client.ls("/", timeout=work.wait)),
    "creation": Phase(_rpc("send.createManifest"), _send_files, True),
    "manifest": Phase(_rpc("send.waitForManifest"), _send_files, True),
    "destination": Phase(_rpc("send.createDestination"), _send_files, True),
    "upload": Phase(_rpc("send.createTransfer"), _send_files, True),
    "completion": Phase(_rpc("send.waitForTransfer"), _send_files, True),
    "listing": Phase(_rpc("lsAsync"), lambda client, work: client.ls("/", timeout=work.wait)),
    "wait": Phase(_rpc("getRequestResult"), lambda client, work: client.ls("/", timeout=work.wait)),
    "delete": Phase(_rpc("rmAsync"), lambda client, work: client.rm("/nothing", timeout=work.wait)),
    "tokens": Phase(_rpc("send.getSharedTokens"), lambda client, work: client.send.getSharedTokens()),
}


class Service(NamedTuple):
    """A service as it is tried.

    :param site: options of its local server.
    :param targets: where its addresses lead, by the beginning of a path.
    :param plant: puts there what is fetched; what a client has to know of it.
    :param client: a client of it: (address, facts, options).
    :param again: the call that shows that a client still works.
    """

    site: Dict[str, Any]
    targets: Callable[[Any], Dict[str, str]]
    plant: Callable[[Any], Dict[str, Any]]
    client: Callable[..., Any]
    phases: Dict[str, Phase]
    again: Callable[[Any, Work], Any]


SERVICES: Dict[str, Service] = {
    "filesender": Service(
        {"upload_chunk_size": PART, "encryption_iterations": 7},
        lambda server: targets(server.filesender),
        files.plant_filesender,
        files.filesender,
        files.FILESENDER,
        lambda client, work: client.list_files(work.facts["token"]),
    ),
    "nrp": Service(
        {"storage": "s3", "rate_limit": 10**6, "rate_limit_guest": 10**6, "max_files": 0},
        lambda server: {**targets(server.nrp), "/storage/": origin_of(server.nrp.storage_url)},
        files.plant_nrp,
        files.nrp,
        files.NRP,
        lambda client, work: client.files.list(work.facts["record"]),
    ),
    "smartfile": Service(
        {},
        lambda server: targets(server.smartfile),
        files.plant_smartfile,
        files.smartfile,
        files.SMARTFILE,
        lambda client, work: client.listdir("/docs"),
    ),
    "perseus": Service(
        {},
        lambda server: {**targets(server.perseus), "/storage/": origin_of(server.perseus.storage_url)},
        _plant_perseus,
        _perseus,
        PERSEUS,
        lambda client, work: client.file.find_file(work.facts["id"]),
    ),
    "jetstream": Service(
        {},
        lambda server: targets(server.jetstream),
        _plant_jetstream,
        _jetstream,
        JETSTREAM,
        lambda client, work: client.ls("/", timeout=20),
    ),
}

Combination = Tuple[str, str]


def combinations(service: str, behaviours: List[str], every: bool) -> List[Combination]:
    """Pairs of behaviour and phase: all, or each behaviour once, the phases taking turns."""
    phases = list(SERVICES[service].phases)
    if every:
        return [(behaviour, phase) for behaviour in behaviours for phase in phases]
    return [(behaviour, phases[number % len(phases)]) for number, behaviour in enumerate(behaviours)]
