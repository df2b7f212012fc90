"""FileSender: transfers up and down, plain and encrypted."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from smartxfer import FileSenderClient, UserAuth
from smartxfer.local import LocalServer
from tests.soak import effects
from tests.soak.case import Case
from tests.soak.service import PIECE, Findings, Item, Service, digests_in, one_file, safe, some_tree

_NAME = "filesender"
#: What a transfer that a broken run left behind may look like; the site removes it some day.
_BEGUN = ("created", "started", "uploading")


class FileSender(Service):
    """Each upload is a transfer of its own; each download has one that the server held before."""

    name = _NAME
    options = {_NAME: {"upload_chunk_size": PIECE, "encryption_iterations": 7, "max_transfer_files": 30}}
    kinds = {"upload": 5, "tree-up": 2, "encrypted-up": 2, "download": 5, "many-down": 2, "encrypted-down": 2}
    sources = ("upload", "tree-up", "encrypted-up")
    targets = ("download", "many-down", "encrypted-down")

    def plan(self, kind: str, chance: random.Random, seed: str) -> Tuple[List[Item], Dict[str, Any]]:
        """Draw the files; an encrypted transfer has a password."""
        if kind in ("tree-up", "many-down"):
            items = some_tree(chance, seed)
        else:
            items = [one_file(chance, seed)]
            if kind.startswith("encrypted") and not items[0].size:
                items = [items[0]._replace(size=1)]  # an empty file is not encrypted
        return items, {"encrypted": kind.startswith("encrypted"), "chunks": chance.choice((1, 2, 4))}

    def faults(self, kind: str) -> List[Tuple[str, Sequence[str]]]:
        """Return the requests of each kind.  Only encryption finds a flipped bit."""
        if kind in self.sources:
            return [
                ("PUT /rest.php/file/*/chunk/*", effects.UP), ("PUT /rest.php/file/*", effects.CALL),
                ("PUT /rest.php/transfer/*", effects.CALL), ("POST /rest.php/transfer", effects.CALL),
                ("GET /rest.php/info", effects.CALL),
            ]
        flips = effects.FLIP_DOWN if kind == "encrypted-down" else ()
        return [("GET /download.php", (*effects.DOWN, *flips)), ("GET /?s=download*", effects.CALL)]

    def prepare(self, case: Case) -> None:
        """Note the address and the account; for a download, make the transfer by an own, quiet client."""
        case.facts.update(case.ask(_address))
        password = f"Marked-Passw0rd-{safe(case.seed)}"
        case.facts["password"] = password if case.options["encrypted"] else None
        case.secrets += [case.facts["key"], password]
        if case.kind in self.targets:
            case.facts["token"] = case.ask(_publish, case.items, case.facts["password"])
            case.secrets.append(case.facts["token"])

    def run(self, case: Case) -> int:
        """Send the source directory, or fetch the transfer."""
        facts, options = case.facts, {"retry": case.retry, "timeout": case.timeout}
        if case.kind in self.targets:
            with FileSenderClient(facts["url"], **options) as client:
                results = client.download_files(facts["token"], case.target, password=facts["password"])
        else:
            auth = UserAuth(facts["user"], facts["key"])
            options["concurrent_chunks"] = case.options["chunks"]
            with FileSenderClient(facts["url"], auth=auth, **options) as client:
                sources = sorted(path for path in case.source.iterdir())
                options = {"link": True, "password": facts["password"]}
                results = client.upload_workflow(sources, {"subject": case.seed}, **options).results
        return sum(result.resumed for result in results)

    def check(self, case: Case, findings: Findings) -> None:
        """Compare the complete transfers of this case, opened by the page's rules, or the target directory.

        A transfer that was begun for a source that changed afterwards remains until the site removes it.
        So does one whose creation ended in OutcomeUnknown, or in a kill before its answer was noted: it is
        empty, no mail was sent, and it is not counted.
        """
        if case.kind in self.targets:
            # Paths in a transfer's names become directories.
            findings.compare("target", case.items, digests_in(case.target))
            return
        transfers = case.ask(_transfers, case.seed, case.facts["password"])
        whole = [(number, files) for number, status, files in transfers if status == "available"]
        if not whole:
            findings.add("lost", f"no complete transfer: {transfers}")
            return
        if len(whole) > case.most_objects:
            findings.add("duplicates", f"{len(whole)} complete transfers, {case.most_objects} can be explained")
        for number, status, _ in transfers:
            if status not in ("available", *_BEGUN):
                findings.add("left", f"transfer {number} is {status}")
        number, files = whole[-1]
        findings.compare(f"transfer {number}", case.items, files)

    def clean(self, case: Case) -> None:
        """Delete the stored bytes."""
        case.ask(_empty)

    def exclusive(self, case: Case, method: str, path: str) -> Optional[str]:
        """The whole upload is locked: its creation, its chunks, its completion."""
        return "the upload" if method in ("POST", "PUT") else None


SERVICE = FileSender


# In the server's process.


def _address(server: LocalServer) -> Dict[str, str]:
    site = server.filesender
    return {"url": site.url, "user": site.username, "key": site.api_key}


def _publish(server: LocalServer, items: List[Item], password: Optional[str]) -> str:
    """Make a transfer with these files, and return its token."""
    site = server.filesender
    with FileSenderClient(site.url, auth=UserAuth(site.username, site.api_key)) as client:
        pairs = [(item.name, item.content) for item in items]
        return str(client.upload_workflow(pairs, link=True, password=password).token)


def _transfers(server: LocalServer, subject: str, password: Optional[str]) -> List[Tuple[int, str, Dict[str, str]]]:
    """Return id, status and the files' digests of the transfers of a subject, oldest first."""
    found = []
    for transfer in server.filesender.transfers():
        if transfer["subject"] == subject:
            files = {}
            for file in transfer["files"]:
                path = Path(server.filesender.stored(file["id"]))
                blob = path.read_bytes() if path.exists() else b""
                data = blob if password is None else _opened(transfer, file, blob, password)
                files[file["name"]] = hashlib.sha256(data).hexdigest()
            found.append((transfer["id"], transfer["status"], files))
    return found


def _opened(transfer: Dict[str, Any], file: Dict[str, Any], blob: bytes, password: str) -> bytes:
    """Decrypt a stored file by the library ``cryptography`` alone; what does not open is left as it is."""
    import base64
    import json

    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    rounds = json.loads(transfer["encryption"])["password_hash_iterations"]
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), transfer["salt"].encode(), rounds)
    step, plain = PIECE + 32, b""
    for number, at in enumerate(range(0, len(blob), step)):
        part = blob[at : at + step]
        if part[:16] != base64.b64decode(file["iv"]) + number.to_bytes(4, "little"):
            return blob
        try:
            plain += AESGCM(key).decrypt(part[:16], part[16:], base64.b64decode(file["aead"]))
        except InvalidTag:
            return blob
    return plain


def _empty(server: LocalServer) -> None:
    """Remove the stored bytes of every transfer: the next case has its own."""
    for transfer in server.filesender.transfers():
        for file in transfer["files"]:
            if file["stored"]:
                os.unlink(server.filesender.stored(file["id"]))
