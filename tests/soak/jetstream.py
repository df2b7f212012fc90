"""JetStream: files that one server sends to another, and requests about files."""

from __future__ import annotations

import random
from typing import Any, Dict, List, Sequence, Tuple

from smartxfer.errors import NotFound
from smartxfer.jetstream import API, JetStream
from smartxfer.local import LocalServer
from tests.soak import effects
from tests.soak.case import Case
from tests.soak.service import Findings, Item, Service, digests_below, one_file, safe, some_tree

#: What sizes are drawn around, and the largest: nothing passes through the client.
_MOST = 4 << 20
#: Bytes per second between the two servers, so that a transfer has a middle.
_RATE = 4 << 20
#: Seconds that a call may take; a wait asks for half of it.
_TIMEOUT = 1.0

_EFFECTS = (*effects.CALL, "replace 504", "status 429 retry-after=0", "interim 103 3", "drip 20/0.01", "no-answer")


class Jetstream(Service):
    """Two servers: ``jetstream`` sends, ``jetstream_peer`` gets."""

    name = "jetstream"
    options = {"jetstream": {"rate": _RATE, "manifest_delay": 0.02, "request_delay": 0.02}, "jetstream_peer": {}}
    kinds = {"files": 3, "folder": 2, "requests": 1}

    def plan(self, kind: str, chance: random.Random, seed: str) -> Tuple[List[Item], Dict[str, Any]]:
        """Draw one file, or a directory."""
        if kind == "files" and chance.random() < 0.5:
            item = one_file(chance, seed)
            return [item._replace(size=min(item.size, _MOST))], {}
        return some_tree(chance, seed), {}

    def faults(self, kind: str) -> List[Tuple[str, Sequence[str]]]:
        """Return what may go wrong: every call has an answer that may be lost."""
        special = ("*Request*", "*Async") if kind == "requests" else ("send.wait*", "send.create*")
        return [(f"POST /jsonrpc/{match}", _EFFECTS) for match in ("auth", "getServerInfo", *special, "*")]

    def prepare(self, case: Case) -> None:
        """Write the files on the host of the sending server."""
        top = case.facts["top"] = f"/{safe(case.seed)}"
        case.facts.update(case.ask(_plant, top, {item.name: item.content for item in case.items}))
        case.secrets.append(case.facts["password"])

    def run(self, case: Case) -> int:
        """Make the call, or the calls."""
        facts, top = case.facts, case.facts["top"]
        account = {"user": facts["user"], "password": facts["password"]}
        with JetStream().api(facts["url"], **account, retry=case.retry_stalled, timeout=_TIMEOUT) as api:
            if case.kind == "requests":
                _rearrange(api, case)
            elif case.kind == "folder":
                api.send_files(top, facts["peer"], timeout=30)
            else:
                pairs = [(f"{top}/{item.name}", f"{top}/{item.name}") for item in case.items]
                api.send_files(pairs, facts["peer"], timeout=30)
        return 0

    def check(self, case: Case, findings: Findings) -> None:
        """Compare the files of both servers."""
        near, far, working = case.ask(_state, case.facts["top"])
        if case.kind == "requests":
            findings.compare("moved", [item._replace(name=f"moved/{item.name}") for item in case.items], near)
            return
        findings.compare("sending server", case.items, near)
        findings.compare("receiving server", case.items, far)
        for transfer in working:
            findings.add("left", f"transfer {transfer} is still under way")

    def clean(self, case: Case) -> None:
        """Remove the files on both sides."""
        case.ask(_remove, case.facts["top"])


def _rearrange(api: API, case: Case) -> None:
    """Move each file into another folder, by calls that may have been made already."""
    top = case.facts["top"]
    for item in case.items:
        folder = f"{top}/moved/{item.name}".rpartition("/")[0]
        api.mkdir(folder)
        try:
            api.mv(f"{top}/{item.name}", f"{top}/moved/{item.name}")
        except NotFound:
            names = [entry["name"] for entry in api.ls(folder)]
            if item.name.rpartition("/")[2] not in names:
                raise
    assert api.du(f"{top}/moved") == sum(item.size for item in case.items)


SERVICE = Jetstream


# -- in the process of the servers ---------------------------------------------------------------------


def _plant(server: LocalServer, top: str, contents: Dict[str, bytes]) -> Dict[str, Any]:
    site = server.jetstream
    for name, content in contents.items():
        site.write(f"{top}/{name}", content)
    peer = f"127.0.0.1:{server.jetstream_peer.port}"
    return {"url": site.url, "user": site.user, "password": site.password, "peer": peer}


def _state(server: LocalServer, top: str) -> Tuple[Dict[str, str], Dict[str, str], List[str]]:
    """SHA-256 of each file of a case at the sending and at the receiving server, and transfers under way."""
    rows = server.jetstream.backend.database.fetchall("SELECT * FROM transfers WHERE NOT deleted")
    working = [f"{row['id']} ({row['status']})" for row in rows if row["status"] not in ("complete", "error")]
    return digests_below(server.jetstream, top), digests_below(server.jetstream_peer, top), working


def _remove(server: LocalServer, top: str) -> None:
    import shutil

    for site in (server.jetstream, server.jetstream_peer):
        shutil.rmtree(site.stored_path(top), ignore_errors=True)
