"""The calls of Perseus."""

from __future__ import annotations

import hashlib
from typing import Any

from smartxfer import PerseusClient
from smartxfer.perseus import FileStatus
from smartxfer.perseus.errors import ERRORS
from smartxfer.testing import canned
from tests.support.canned_calls.table import Rows, Table, facts

FACTS = facts("perseus", "post")
ID, NAME, CONTENT, HASH = FACTS["id"], FACTS["name"], FACTS["content"], FACTS["source_hash"]
NEW_HASH = hashlib.sha256(b"new").hexdigest()
MANY = [("a.txt", b"a"), ("b.bin", bytes(70_000))]
SIZES = [("a.txt", 1), ("b.bin", 70_000)]


def _make(url: str, **options: Any) -> PerseusClient:
    return PerseusClient(url, api_key="k" * 40, **options)


def _is_listed(got: Any) -> bool:
    return [(file.id, file.source_hash) for file in got] == [(ID, HASH)]


def _is_file(got: Any) -> bool:
    return (got.name, got.created) == (NAME, FACTS["created"])


def _is_nothing(got: Any) -> bool:
    return got is None


def _is_synced(got: Any) -> bool:
    return (got.uploaded, got.skipped) == (["new.txt"], [NAME])


def _is_pending(got: Any) -> bool:
    file, url = got["file"], got["upload_url"]
    return (file.name, file.status) == ("new.txt", "pending") and url.startswith(f"{FACTS['storage_url']}/file/")


ROWS: Rows = {
    "post": (
        lambda c, d, o: c.post("file/find", ids=[ID]), lambda got: [file["id"] for file in got["files"]] == [ID],
    ),
    "delete": (lambda c, d, o: c.delete("file", ID), lambda got: not got),
    "upload": (
        lambda c, d, o: c.upload(d / "new.txt"),
        lambda got: (got.name, got.bytes, got.item.reused) == ("new.txt", 3, False),
    ),
    "upload_many": (
        lambda c, d, o: c.upload_many(MANY), lambda got: [(one.name, one.bytes) for one in got] == SIZES,
    ),
    "upload_tree": (
        lambda c, d, o: c.upload_tree(d, include="new.txt"),
        lambda got: [(one.name, one.bytes) for one in got] == [("new.txt", 3)],
    ),
    "list": (lambda c, d, o: c.list(), _is_listed),
    "info": (lambda c, d, o: c.info(ID), _is_file),
    "exists": (lambda c, d, o: c.exists(ID), lambda got: got is True),
    "remove": (lambda c, d, o: c.remove(ID), _is_nothing),
    "sync": (lambda c, d, o: c.sync(d), _is_synced),
    "file.upload_file": (
        lambda c, d, o: c.file.upload_file(d / "new.txt"),
        lambda got: (got.name, got.reused, got.result.bytes) == ("new.txt", False, 3),
    ),
    "file.upload_many": (
        lambda c, d, o: c.file.upload_many(MANY),
        lambda got: [(file.name, file.result.bytes) for file in got] == SIZES,
    ),
    "file.create_file": (lambda c, d, o: c.file.create_file("new.txt", NEW_HASH), _is_pending),
    "file.find_files": (lambda c, d, o: c.file.find_files(source_hashes=[HASH]), _is_listed),
    "file.find_file": (lambda c, d, o: c.file.find_file(ID), _is_file),
    "file.delete_file": (lambda c, d, o: c.file.delete_file(ID), _is_nothing),
    "file.wait_for_file_upload": (
        lambda c, d, o: c.file.wait_for_file_upload(ID, timeout=5), lambda got: got.status == FileStatus.UPLOADED,
    ),
    "file.wait_for_file_uploads": (
        lambda c, d, o: c.file.wait_for_file_uploads([ID], timeout=5),
        lambda got: [file.status for file in got] == ["uploaded"],
    ),
    "file.exists": (
        lambda c, d, o: (c.file.exists(d / NAME), c.file.exists(d / "new.txt")), lambda got: got == (True, False),
    ),
    "file.sync_dir": (lambda c, d, o: c.file.sync_dir(d), _is_synced),
}

TABLE = Table(
    "perseus", canned.PERSEUS_URL, canned.PERSEUS_CASES, ERRORS, _make, ROWS, {NAME: CONTENT, "new.txt": b"new"}
)
