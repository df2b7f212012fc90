"""The calls of JetStream."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any, Callable, Dict, Tuple

from smartxfer import JetStream
from smartxfer.jetstream import API, Manifest, Request, Status, Transfer
from smartxfer.jetstream.errors import ERRORS
from smartxfer.testing import canned
from tests.support.canned_calls.table import Table, facts

FACTS = facts("jetstream", "call")
MAPPINGS, PATH, TOKEN, API_TOKEN = FACTS["mappings"], FACTS["path"], FACTS["token"], FACTS["api_token"]
MANIFEST, DESTINATION, TRANSFER = FACTS["manifestId"], FACTS["destinationId"], FACTS["transferId"]
HOST = "files.example.net"

#: The arguments of the methods that take some.
ARGUMENTS: Dict[str, Tuple[Any, ...]] = {
    "send_files": (PATH, HOST), "share": (PATH,), "login_token": (TOKEN,), "list": ("/local/home",),
    "ls": ("/local/home",), "du": (PATH,), "mkdir": ("/x",), "mkfile": ("/x",), "mv": ("/x", "/y"),
    "remove": ("/x",), "rm": ("/x",),
    "wait_all": ([Manifest(manifest_id=MANIFEST), Transfer(transfer_id=TRANSFER)],),
    "server.auth": ("jsmith", "secret"), "server.authAsync": ("jsmith", "secret"), "server.authToken": (TOKEN,),
    "server.getRequestStatus": (1,), "server.getRequestResult": (10**9,), "server.echo": ("ACGT",),
    "server.sleep": (1,), "server.getAPIToken": (API_TOKEN,), "server.deleteAPIToken": (API_TOKEN,),
    "server.mvAsync": ("/x", "/y"), "send.createManifest": (MAPPINGS,), "send.createDestination": (HOST,),
    "send.createTransfer": (DESTINATION, MANIFEST), "send.failTransfer": (TRANSFER, "enough"),
    "send.getSharedToken": (TOKEN,), "send.getConnection": (FACTS["connectionId"],),
    "send.updateObjectUserData": (MANIFEST, "key", 1), "send.deleteObjectUserData": (MANIFEST, "key"),
    "recv.addAuthorizedClientAsync": ("key",), "recv.removeAuthorizedClientAsync": ("key",),
    "recv.allowOnlyAuthorizedClientsAsync": (True,),
}
#: The argument of the others that take one, by the end of their name.
ENDS: Dict[str, Any] = {
    "Manifest": MANIFEST, "ManifestFiles": MANIFEST, "Destination": DESTINATION, "Transfer": TRANSFER,
    "SharedToken": MANIFEST, "lsAsync": "/local/home", "lsListAsync": "/local/home", "duAsync": PATH,
    "mkdirAsync": "/x", "mkFileAsync": "/x", "rmAsync": "/x",
}
#: What some results are.
CHECKS: Dict[str, Callable[[Any], Any]] = {
    "call": lambda got: got["manifestId"] == MANIFEST,
    "send_files": lambda got: (got.transfer_id, got.status, got.fraction) == (TRANSFER, "complete", 1.0),
    "share": lambda got: got.link == f"jetstream://files.example.org/download?token={TOKEN}",
    "list": lambda got: [entry["path"] for entry in got] == [PATH],
    "ls": lambda got: [entry["path"] for entry in got] == [PATH],
    "du": lambda got: got == FACTS["size"],
    "ls_roots": lambda got: [entry["path"] for entry in got] == ["/"],
    "sources": lambda got: got[0].active_transfer_count == 1,
    "receiving": lambda got: got[0].status == "receiving",
    "wait_all": lambda got: [task.status for task in got] == [Status.COMPLETE] * 2,
    "server.echo": lambda got: got == "ACGT",
    "server.getServerInfo": lambda got: (got.api_version, got.auth_required) == (44, False),
    "server.lsAsync": lambda got: isinstance(got, Request),
    "server.getRequestStatus": lambda got: (got.request_id, got.status) == (1, "complete"),
    "send.createManifest": lambda got: (got.manifest_id, got.processing) == (MANIFEST, True),
    "send.getManifests": lambda got: [manifest.manifest_id for manifest in got] == [MANIFEST],
    "send.getManifestFiles": lambda got: got == MAPPINGS,
    "send.waitForTransfer": lambda got: got.total_bytes == FACTS["size"],
    "send.createTransfer": lambda got: (got.transfer_id, got.status) == (TRANSFER, "pending"),
    "send.createSharedToken": lambda got: got.token == TOKEN,
    "server.getAPITokens": lambda got: [token.token for token in got] == [API_TOKEN],
}


def _caller(name: str) -> Callable[[API, Path, Path], Any]:
    """Return a function that calls a method with what it takes."""
    ends = [end for end in ENDS if name.rpartition(".")[2].endswith(end)]
    arguments = ARGUMENTS.get(name, (ENDS[max(ends, key=len)],) if ends else ())
    if name == "call":
        return lambda api, d, o: api.call("send.getManifest", manifestId=MANIFEST)
    return lambda api, d, o: operator.attrgetter(name)(api)(*arguments)


TABLE = Table(
    "jetstream", canned.JETSTREAM_URL, canned.JETSTREAM_CASES, ERRORS, lambda url, **more: JetStream().api(url, **more),
    {name: (_caller(name), CHECKS.get(name, lambda got: True)) for name in sorted({n for n, _ in canned.JETSTREAM_CASES})},
)
