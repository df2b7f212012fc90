"""Perseus: files by their SHA-256, one or several; records of interrupted runs are repaired."""

from __future__ import annotations

import hashlib
import random
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from smartxfer.local import LocalServer
from smartxfer.perseus import PerseusClient
from tests.soak import effects
from tests.soak.case import Case
from tests.soak.service import Findings, Item, Service, one_file, some_tree

#: Shorter contents of two cases might be the same, and the service holds a content once.
_LEAST = 16
#: Seconds in which another client may end the upload of a content.
_GRACE = 0.3


class _Record(NamedTuple):
    """A record of the server.

    :param announced: SHA-256 that it was made for; ``held`` that of what came.
    """

    id: str
    name: str
    status: str
    announced: str
    held: str


class Perseus(Service):
    """Perseus: nothing comes down."""

    name = "perseus"
    options = {"perseus": {"upload_delay": 0.01}}
    kinds = {"upload": 3, "many": 2, "sync": 1}
    sources = ("upload", "many", "sync")

    def plan(self, kind: str, chance: random.Random, seed: str) -> Tuple[List[Item], Dict[str, Any]]:
        """Draw one file, or some in a directory."""
        items = [one_file(chance, seed)] if kind == "upload" else some_tree(chance, seed)
        return [item._replace(size=max(item.size, _LEAST)) for item in items], {}

    def faults(self, kind: str) -> List[Tuple[str, Sequence[str]]]:
        """Return what may go wrong; the service compares the SHA-256."""
        return [
            ("PUT /storage/*", (*effects.FLIP_UP, "flip-in 0")),
            ("PUT /storage/*", (*effects.UP, "stall-after {n}", "status 504", "interim 103 3")),
            ("POST /api/v0/file", (*effects.CALL, "status 429 retry-after=0")),
            ("POST /api/v0/file/find", effects.CALL),
            ("DELETE /api/v0/file/*", effects.CALL),
        ]

    def prepare(self, case: Case) -> None:
        """Note the address and the key."""
        case.facts.update(case.ask(_facts))
        case.secrets.append(case.facts["key"])

    def run(self, case: Case) -> int:
        """Make the call; a record that a broken run has left is deleted by it."""
        options = {"retry": case.retry_stalled, "timeout": case.timeout}
        repair = {"repair": True, "grace": _GRACE}
        with PerseusClient(case.facts["url"], api_key=case.facts["key"], **options) as client:
            if case.kind == "upload":
                path = case.source / case.items[0].name
                files = [client.file.upload_file(path, wait=True, timeout=10, **repair)]
            elif case.kind == "many":
                paths = [case.source / item.name for item in case.items]
                files = client.file.upload_many(paths, wait=True, timeout=10, **repair)
            else:
                files = list(client.file.sync_dir(case.source, **repair).files.values())
                client.file.wait_for_file_uploads([file.id for file in files], 0.02, 10)
            return sum(file.result.resumed for file in files if file.result is not None)

    def check(self, case: Case, findings: Findings) -> None:
        """Compare the records of the case: the service holds contents, under the base name of their file."""
        records = case.ask(_records)
        for item in case.items:
            ours = [record for record in records if record.announced == item.digest]
            complete = [record for record in ours if record.status == "uploaded"]
            if not complete:
                findings.add("lost", f"{item.name}: {[record.status for record in ours]}")
            if any(record.held != item.digest for record in complete):
                findings.add("wrong", f"{item.name}: the service holds another content ({item.size} bytes)")
            if len(complete) > case.most_objects:
                findings.add("duplicates", f"{item.name}: {len(complete)} complete records")
            for record in ours:
                if record.status != "uploaded":
                    findings.add("left", f"{item.name}: a record is {record.status}")
                if record.name != item.name.rpartition("/")[2]:
                    findings.add("wrong", f"{item.name}: the record is called {record.name}")

    def clean(self, case: Case) -> None:
        """Remove all records."""
        case.ask(_remove)

    def exclusive(self, case: Case, method: str, path: str) -> Optional[str]:
        """Only one process at a time makes the record of a content, and sends it, as its journal says."""
        changes = method in ("PUT", "DELETE") or (method == "POST" and path.endswith("/file"))
        return "content" if case.kind == "upload" and changes else None


SERVICE = Perseus


# -- in the process of the server ----------------------------------------------------------------------


def _facts(server: LocalServer) -> Dict[str, str]:
    site = server.perseus
    return {"url": site.url, "key": site.api_key}


def _records(server: LocalServer) -> List[_Record]:
    site, found = server.perseus, []
    for record in site.records():
        held = site.content(record["id"]) if record["status"] == "uploaded" else None
        digest = "" if held is None else hashlib.sha256(held).hexdigest()
        found.append(_Record(record["id"], record["name"], record["status"], record["sourceHash"], digest))
    return found


def _remove(server: LocalServer) -> None:
    site = server.perseus
    for record in site.records():
        site.backend.delete(record["id"])
