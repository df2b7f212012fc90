"""SmartFile: single files, directories, and synchronisation by deltas, each case in a directory of its own."""

from __future__ import annotations

import random
from typing import Any, Dict, List, Optional, Sequence, Tuple

from smartxfer import BasicClient, SyncClient
from smartxfer.local import LocalServer
from smartxfer.smartfile import download
from tests.soak import effects
from tests.soak import service as soak
from tests.soak.case import Case
from tests.soak.service import PIECE, Findings, Item, Service, digests_below, digests_in, safe, some_size

#: How often flipped bits are in the list of faults: a checksum that is not compared is to be found soon.
_FLIPS = 3
#: Bytes of a form that are certainly more than its head.
_HEAD = 400

_UPLOAD = "POST /api/2/path/data/*"
_DOWNLOAD = "GET /api/2/path/data/*"
_CHECKSUM = "POST /api/2/path/oper/checksum/"
#: A range that is ignored, or another one; a stall; an answer that lasts too long.
_RANGES = ("ignore-range", "wrong-range", "wrong-range total", "extra-byte", "interim 103 3", "drip 4K/0.01")
_STALLS = ("no-answer", "stall-after {n}")
_LOOKS: List[Tuple[str, Sequence[str]]] = [
    ("GET /api/2/path/info/*", effects.CALL), ("GET /api/2/task/*", effects.CALL), (_CHECKSUM, effects.CALL),
]
_ERROR_ANSWER = "status 429 retry-after=0"


class SmartFile(Service):
    """SmartFile, with its OAuth left out."""

    name = "smartfile"
    kinds = {
        "upload": 2, "upload-checked": 2, "download": 2, "download-checked": 2, "tree-up": 2, "tree-down": 2,
        "sync-up": 3, "sync-down": 3,
    }
    sources = ("upload", "upload-checked", "tree-up", "sync-up")
    targets = ("download", "download-checked", "tree-down", "sync-down")

    def plan(self, kind: str, chance: random.Random, seed: str) -> Tuple[List[Item], Dict[str, Any]]:
        """Draw one file, a directory, or files with older versions of them."""
        if kind.startswith("tree"):
            options = {"checksum": "md5" if chance.random() < 0.5 else None}
            return soak.some_tree(chance, seed), options
        if kind.startswith("sync"):
            count = chance.randint(1, 4)
            names = (f"{chance.choice(('', 'a/', 'a/b c/'))}{number}.dat" for number in range(count))
            items = [Item(name, _delta_size(chance), f"{seed}/{number}") for number, name in enumerate(names)]
            single = len(items) == 1 and "/" not in items[0].name
            return items, {"single": single, "edits": [chance.random() for _ in items]}
        checksum = chance.choice(("md5", "sha256")) if kind.endswith("checked") else None
        return [soak.one_file(chance, seed)], {"checksum": checksum}

    def faults(self, kind: str) -> List[Tuple[str, Sequence[str]]]:
        """Return what may go wrong; bits flip only where a checksum is compared."""
        found: List[Tuple[str, Sequence[str]]] = list(_LOOKS)
        if kind in ("upload-checked", "sync-up"):
            found += [(_UPLOAD, (*effects.FLIP_UP, f"flip-in {_HEAD}"))] * _FLIPS
        if kind in ("download-checked", "sync-down"):
            found += [(_DOWNLOAD, (*effects.FLIP_DOWN, "flip 0"))] * _FLIPS
        if kind in self.sources:
            found.append((_UPLOAD, (*effects.UP, _ERROR_ANSWER, "stall-after {n}")))
        if kind in self.targets:
            found.append((_DOWNLOAD, (*effects.DOWN, *_RANGES, *_STALLS)))
        if kind in ("tree-up", "sync-up"):
            found.append(("* /api/2/path/oper/mkdir*", effects.CALL))
        if kind == "sync-up":
            found.append(("GET /api/2/path/sync/signature/*", (*effects.DOWN, *effects.FLIP_DOWN)))
            found.append(("POST /api/2/path/sync/patch/*", (*effects.UP, *effects.FLIP_UP)))
            found.append(("POST /api/2/path/sync/patch/*", effects.FLIP_UP))
        if kind == "sync-down":
            found.append(("POST /api/2/path/sync/delta/*", (*effects.UP, *effects.FLIP_UP, *effects.DOWN)))
            found.append(("POST /api/2/path/sync/delta/*", effects.FLIP_DOWN))
        return found

    def prepare(self, case: Case) -> None:
        """Put on the server what is to be fetched, and older versions of what is synchronised where it goes."""
        top = case.facts["top"] = f"/{safe(case.seed)}"
        old = _older(case) if case.kind.startswith("sync") else {}
        new = {item.name: item.content for item in case.items}
        there = {"sync-up": old, "sync-down": new}.get(case.kind, new if case.kind in self.targets else {})
        case.facts.update(case.ask(_plant, top, there))
        case.secrets.append(case.facts["password"])
        if case.kind == "sync-down":
            for name, content in old.items():
                path = case.target / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

    def run(self, case: Case) -> int:
        """Make the call."""
        facts, kind = case.facts, case.kind
        download.RANGE_SIZE = PIECE
        options = {"url": facts["url"], "retry": case.retry_stalled, "timeout": case.timeout}
        with BasicClient(facts["key"], facts["password"], **options) as client:
            if kind.startswith("sync"):
                return sum(result.resumed for result in _synchronise(client, case))
            path = f"{facts['top']}/{case.items[0].name}"
            if kind.startswith("upload"):
                source = case.source / case.items[0].name
                return client.upload(source, path, checksum=case.options["checksum"]).resumed
            if kind.startswith("download"):
                case.target.mkdir(exist_ok=True)
                return client.download(path, f"{case.target}/", checksum=case.options["checksum"]).resumed
            if kind == "tree-up":
                results = client.upload_tree(case.source, facts["top"], checksum=case.options["checksum"])
            else:
                results = client.download_tree(facts["top"], case.target, checksum=case.options["checksum"])
            return sum(result.resumed for result in results)

    def check(self, case: Case, findings: Findings) -> None:
        """Compare what lies on the server, and what was fetched."""
        digests = case.ask(_digests, case.facts["top"])
        if case.kind in ("upload-checked", "sync-up"):
            planned = {item.name for item in case.items}
            spoilt = {name for name in set(digests) - planned if any(_one_bit(name, other) for other in planned)}
            digests = {name: digest for name, digest in digests.items() if name not in spoilt}
        findings.compare(case.facts["top"], case.items, digests)
        if case.kind in self.targets:
            findings.compare("target", case.items, digests_in(case.target))

    def clean(self, case: Case) -> None:
        """Remove the directory of the case."""
        case.ask(_remove, case.facts["top"])

    def exclusive(self, case: Case, method: str, path: str) -> Optional[str]:
        """Only one process at a time sends a directory, as its journal says."""
        return "directory" if case.kind == "tree-up" and method == "POST" and "/path/data/" in path else None


def _delta_size(chance: random.Random) -> int:
    """Bytes of a synchronised file: mostly large enough for a delta."""
    return some_size(chance) if chance.random() < 0.2 else int(2 ** chance.uniform(11, 19))


def _older(case: Case) -> Dict[str, bytes]:
    """Older versions of the files of a case by name: edited ones, same ones; some have none."""
    found = {}
    for item, draw in zip(case.items, case.options["edits"]):
        if draw < 0.1:
            continue
        chance = random.Random(item.seed + "/old")
        found[item.name] = item.content if draw < 0.2 else _edited(item.content, chance)
    return found


def _edited(content: bytes, chance: random.Random) -> bytes:
    """The content after some edits: pieces that were removed, added, or written over."""
    made = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at, count = chance.randint(0, len(made)), chance.choice((1, 7, 100, 3000))
        noise = bytes(chance.getrandbits(8) for _ in range(count))
        edit = chance.randrange(3)
        if edit == 0:
            del made[at : at + count]
        elif edit == 1:
            made[at:at] = noise
        else:
            made[at : at + count] = noise
    return bytes(made)


def _synchronise(client: BasicClient, case: Case) -> Sequence[Any]:
    sync, top = SyncClient(client), case.facts["top"]
    if case.options["single"]:
        name = case.items[0].name
        if case.kind == "sync-up":
            return [sync.upload(case.source / name, f"{top}/{name}")]
        case.target.mkdir(exist_ok=True)
        return [sync.download(case.target / name, f"{top}/{name}", exists="replace")]
    if case.kind == "sync-up":
        return sync.upload_tree(case.source, top)
    return sync.download_tree(case.target, top, exists="replace")


def _one_bit(name: str, other: str) -> bool:
    """Return whether a name has one bit flipped: no checksum protects the head of a form."""
    one, two = name.encode(), other.encode()
    return len(one) == len(two) and sum(bin(a ^ b).count("1") for a, b in zip(one, two)) == 1


SERVICE = SmartFile


# -- in the process of the server ----------------------------------------------------------------------


def _plant(server: LocalServer, top: str, contents: Dict[str, bytes]) -> Dict[str, str]:
    site = server.smartfile
    site.mkdir(top)
    for name, content in contents.items():
        site.write(f"{top}/{name}", content)
    return {"url": site.url, "key": site.key, "password": site.password}


def _digests(server: LocalServer, top: str) -> Dict[str, str]:
    return digests_below(server.smartfile, top)


def _remove(server: LocalServer, top: str) -> None:
    tree = server.smartfile.backend.tree
    tree.remove(tree.find(top))
