"""NRP: files of a draft, sent whole or in parts, downloaded whole or in ranges, and whole directories."""

from __future__ import annotations

import hashlib
import random
import re
from typing import Any, Dict, List, Optional, Sequence, Tuple
from urllib.parse import unquote

from smartxfer.errors import UsageError
from smartxfer.local import LocalServer
from smartxfer.nrp import RepositoryClient, download, get_client, transfer_modes
from smartxfer.transfer import FileResult
from tests.soak import effects
from tests.soak.case import Case
from tests.soak.service import PIECE, Findings, Item, Service, digests_in, one_file, some_tree

_MOST_PARTS = 60

#: How often flipped bits are in the list of faults: a checksum that is not compared is to be found soon.
_FLIPS = 3

_FILES = "/api/records/*/files"
_CONTENT = f"PUT {_FILES}/*/content*"
_DOWNLOAD = f"GET {_FILES}/*/content"
#: Requests that every kind makes.
_COMMON: List[Tuple[str, Sequence[str]]] = [("GET /.well-known/repository*", effects.CALL), (f"GET {_FILES}", effects.CALL)]
_ERROR_ANSWERS = ("status 429 retry-after=0", "status 504")
_SENDING = (*effects.UP, *_ERROR_ANSWERS, "stall-after {n}")
_FETCHING = (
    *effects.DOWN, *_ERROR_ANSWERS, "ignore-range", "wrong-range", "wrong-range total", "extra-byte", "interim 103 3",
    "drip 4K/0.01", "no-answer",
)
_ADDRESS = re.compile(r"(.+/files/[^/?]+)/(content(/\d+)?|commit)")


class Nrp(Service):
    """A repository whose storage knows ranges; each case has a draft of its own."""

    name = "nrp"
    options = {"nrp": {"storage": "proxy", "rate_limit": 0, "rate_limit_guest": 0}}
    kinds = {
        "upload": 2, "parts": 4, "many-up": 3, "sync": 2, "download": 1, "ranges": 4, "many-down": 3,
    }
    sources = ("upload", "parts", "many-up", "sync")
    targets = ("download", "ranges", "many-down")

    def plan(self, kind: str, chance: random.Random, seed: str) -> Tuple[List[Item], Dict[str, Any]]:
        """Draw one file, or a directory; and what a synchronised draft holds already."""
        if kind in ("many-up", "many-down", "sync"):
            items = some_tree(chance, seed)
            there = [chance.choice(("no", "same", "other")) for _ in items]
            return items, {"part_size": PIECE if chance.random() < 0.5 else None, "there": there}
        item = one_file(chance, seed)
        # Each part of an upload is answered by a list of all parts: of hundreds it takes minutes.
        part_size = max(PIECE, item.size // _MOST_PARTS)
        published = kind in self.targets and chance.random() < 0.5
        return [item], {"part_size": part_size, "published": published}

    def faults(self, kind: str) -> List[Tuple[str, Sequence[str]]]:
        """Return what may go wrong; MD5s are compared both ways, so that bits may flip."""
        if kind in self.targets:
            flips = [(_DOWNLOAD, (*effects.FLIP_DOWN, "flip 0"))] * _FLIPS
            return [(_DOWNLOAD, _FETCHING), *flips, (f"GET {_FILES}/*", effects.CALL), *_COMMON]
        return [
            (_CONTENT, _SENDING), *[(_CONTENT, (*effects.FLIP_UP, "flip-in 0"))] * _FLIPS, (f"POST {_FILES}", effects.CALL),
            (f"POST {_FILES}/*/commit", effects.CALL), (f"GET {_FILES}/*", effects.CALL), (f"DELETE {_FILES}/*", effects.CALL),
            *_COMMON,
        ]

    def prepare(self, case: Case) -> None:
        """Make a draft or a published record, with what is to be fetched or synchronised."""
        held = {}
        if case.kind in self.targets:
            held = {item.name: item.content for item in case.items}
        elif case.kind == "sync":
            held = {
                item.name: item.content if state == "same" else item.content[::-1] + b"older"
                for item, state in zip(case.items, case.options["there"])
                if state != "no"
            }
            held["to be deleted.dat"] = b"older"
        case.facts.update(case.ask(_plant, held, case.options.get("published", False)))
        case.secrets.append(case.facts["token"])

    def run(self, case: Case) -> int:
        """Make the call."""
        transfer_modes.MIN_PART_SIZE = download.MIN_RANGE_SIZE = download.DEFAULT_RANGE_SIZE = PIECE
        options = {"token": case.facts["token"], "retry": case.retry_stalled, "timeout": case.timeout}
        with get_client(case.facts["url"], **options) as client:
            return sum(result.resumed for result in _results(client, case))

    def check(self, case: Case, findings: Findings) -> None:
        """Compare the files of the record, and what was fetched."""
        digests, pending = case.ask(_digests, case.facts["record"])
        findings.compare(f"record {case.facts['record']}", case.items, digests)
        for key in pending:
            findings.add("left", f"record {case.facts['record']}: {key} is pending")
        if case.kind in self.targets:
            findings.compare("target", case.items, digests_in(case.target))

    def clean(self, case: Case) -> None:
        """Remove the files of the record."""
        case.ask(_remove, case.facts["record"])

    def exclusive(self, case: Case, method: str, path: str) -> Optional[str]:
        """Only one process at a time sends to a key, as the journal of it says."""
        found = _ADDRESS.match(path)
        return unquote(found[1]) if found and method in ("PUT", "POST") else None


def _results(client: RepositoryClient, case: Case) -> List[FileResult]:
    record, kind = case.facts["record"], case.kind
    if kind == "many-down":
        return client.files.download_many(record, case.target)
    if kind in ("download", "ranges"):
        case.target.mkdir(exist_ok=True)
        part_size = case.options["part_size"] if kind == "ranges" else None
        client.files.download(record, case.items[0].name, f"{case.target}/", part_size=part_size)
        return []
    if kind == "sync":
        client.files.sync_dir(record, case.source, delete=True)
        return []
    if kind == "many-up":
        pairs = [(item.name, case.source / item.name) for item in case.items]
        # What a run left of a source that has changed since is replaced.
        part_size = case.options["part_size"]
        files = client.files.upload_many(record, pairs, part_size=part_size, replace=case.changed)
    else:
        [item], options = case.items, {"transfer_type": "multipart", "part_size": case.options["part_size"]}
        options = {"replace": case.changed, **(options if kind == "parts" else {})}
        files = [client.files.upload(record, item.name, None, case.source / item.name, **options)]
    return [file.result for file in files if file.result is not None]


SERVICE = Nrp


# -- in the process of the server ----------------------------------------------------------------------


def _plant(server: LocalServer, contents: Dict[str, bytes], published: bool) -> Dict[str, str]:
    site = server.nrp
    return {"record": site.create(contents, published=published), "url": site.url, "token": site.token}


def _digests(server: LocalServer, record: str) -> Tuple[Dict[str, str], List[str]]:
    """SHA-256 of the complete files by key, and the keys of those that are not."""
    site = server.nrp
    complete = site.files(record)
    digests = {key: hashlib.sha256(site.read(record, key)).hexdigest() for key in complete}
    return digests, [entry["key"] for entry in site.entries(record) if entry["key"] not in complete]


def _remove(server: LocalServer, record: str) -> None:
    """Make the files of a record empty: what is published stays."""
    site = server.nrp
    for key in site.files(record):
        try:
            site.write(record, key)
        except UsageError:
            return
