"""Thirty encrypted files have the same attributes, ranges and headers as on real sites."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any, Dict, List

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire
from tests.support.local.releases import each_release

DATA = Path(__file__).parent.parent / "data"
CAPTURED: List[Dict[str, Any]] = json.loads((DATA / "filesender-encrypted-multichunk.json").read_text("utf-8"))
C = 262144
RANDOM = ("id", "transferid", "key-salt")


server = each_release(upload_chunk_size=C)


def stored(sample: Dict[str, Any]) -> List[bytes]:
    """Return random bytes of the captured length for each chunk; the server cannot distinguish them."""
    counts = [int(one["headers"]["Content-Length"]) for one in sample["ranges"]]
    return [hashlib.shake_128(b"%d" % place).digest(count) for place, count in enumerate(counts)]


def upload(site: wire.Site, sample: Dict[str, Any]) -> Any:
    page = sample["page"]
    file = {"name": page["data-name"], "size": sample["size"], "mime_type": page["data-mime"]}
    transfer = site.create(
        [],
        files=[{**file, "iv": page["data-fileiv"], "aead": page["data-fileaead"]}],
        encryption=True,
        encryption_key_version=sample["key_version"],
        encryption_password_encoding=page["data-password-encoding"],
        encryption_password_version=int(page["data-password-version"]),
        encryption_password_hash_iterations=int(page["data-password-hash-iterations"]),
        encryption_client_entropy=page["data-client-entropy"],
    )
    for place, blob in enumerate(stored(sample)):
        headers = {
            "X_Filesender_Encrypted": "1",
            "X_Filesender_Chunk_Size": str(min(C, sample["size"] - place * C)),
            "X_Filesender_Chunk_Size_Encrypted": str(len(blob)),
        }
        reply = site.chunk(transfer, transfer["files"][0], place * C, blob, **headers)
        assert reply.json() == {"offset": place * (C + 32), "written": len(blob)}
    site.complete(transfer)
    return transfer


def numbered(text: str) -> str:
    return re.sub(r"t\d+_f\d+", "tN_fN", text)


@pytest.mark.parametrize("version", [0, 1, 3])
def test_encrypted_files_are_served_alike(server: LocalServer, version: int) -> None:
    release, site = server.filesender.backend.site.version, wire.Site(server.filesender)
    chosen = [one for one in CAPTURED if (one["release"], one["key_version"]) == (release, version)]
    assert len(chosen) == 5
    for sample in chosen:
        transfer = upload(site, sample)
        page = site.bare("GET", "/?s=download&token=" + transfer["recipients"][0]["token"]).body.decode()
        [row] = page.split('class="file"')[1:]
        row = row[: row.index(">")]
        shown = {"data-" + name: value for name, value in re.findall(r'data-([\w-]+)="([^"]*)"', row)}
        assert list(shown) == list(sample["page"])
        for name in RANDOM:
            del shown["data-" + name]
        assert shown == {name: value for name, value in sample["page"].items() if name in shown}
        for one, blob in zip(sample["ranges"], stored(sample)):
            reply = site.fetch(transfer, {"Range": one["range"]})
            assert (reply.status, reply.body == blob) == (one["status"], True)
            for name, value in one["headers"].items():
                assert numbered(reply.headers[name]) == numbered(value)
