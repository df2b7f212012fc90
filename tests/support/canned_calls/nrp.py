"""The calls of NRP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smartxfer import RepositoryClient
from smartxfer.nrp import File
from smartxfer.nrp.errors import ERRORS
from smartxfer.testing import canned
from tests.support.canned_calls.table import Rows, Table, facts

FACTS = facts("nrp", "whoami")
ID, KEY, CONTENT, CHECKSUM = FACTS["id"], FACTS["key"], FACTS["content"], FACTS["checksum"]
DATA = {"metadata": {"title": FACTS["title"]}}
DESCRIPTION = {"description": "new"}
_SELF = f"{canned.NRP_URL}/api/records/{ID}/draft/files/{KEY}"
FILE = File.from_wire(
    {"key": KEY, "size": len(CONTENT), "checksum": CHECKSUM, "metadata": DESCRIPTION, "links": {"self": _SELF}}
)


def _make(url: str, **options: Any) -> RepositoryClient:
    return RepositoryClient(url, token="t" * 40, **options)


def _with_another(directory: Path) -> Path:
    (directory / "another.bin").write_bytes(b"another")
    return directory


def _is_nothing(got: Any) -> bool:
    return got is None


def _is_fetched(got: Any) -> bool:
    return [one.path.read_bytes() for one in got] == [CONTENT]


def _is_listed(got: Any) -> bool:
    return [(file.key, file.checksum) for file in got] == [(KEY, CHECKSUM)]


def _is_file(got: Any) -> bool:
    return (got.key, got.size, got.status) == (KEY, len(CONTENT), "completed")


def _is_the_record(got: Any) -> bool:
    return [record.id for record in got] == [ID]


def _is_draft(got: Any) -> bool:
    return got.is_draft


ROWS: Rows = {
    "get": (
        lambda c, d, o: c.get("records", ID),
        lambda got: (got["id"], got["revision_id"]) == (ID, FACTS["revision_id"]),
    ),
    "whoami": (lambda c, d, o: c.whoami(), lambda got: got.authenticated is True),
    "upload": (
        lambda c, d, o: c.upload(d / KEY, ID),
        lambda got: (got.name, got.verified, got.item.checksum) == (KEY, "md5", CHECKSUM),
    ),
    "upload_many": (
        lambda c, d, o: c.upload_many([d / KEY], ID),
        lambda got: [(one.name, one.verified) for one in got] == [(KEY, "md5")],
    ),
    "upload_tree": (
        lambda c, d, o: c.upload_tree(_with_another(d), ID),
        lambda got: got.ok and KEY in [one.name for one in got],
    ),
    "download": (
        lambda c, d, o: c.download(f"{ID}/{KEY}", o / KEY),
        lambda got: (got.path.read_bytes(), got.verified) == (CONTENT, "md5"),
    ),
    "download_many": (lambda c, d, o: c.download_many([f"{ID}/{KEY}"], o), _is_fetched),
    "download_tree": (lambda c, d, o: c.download_tree(ID, o), _is_fetched),
    "list": (lambda c, d, o: c.list(ID), _is_listed),
    "info": (lambda c, d, o: c.info(f"{ID}/{KEY}"), _is_file),
    "exists": (lambda c, d, o: c.exists(f"{ID}/{KEY}"), lambda got: got is True),
    "remove": (lambda c, d, o: c.remove(f"{ID}/{KEY}"), _is_nothing),
    "sync": (
        lambda c, d, o: c.sync(_with_another(d), ID),
        lambda got: KEY in got.skipped and len(got.uploaded) == 1,
    ),
    "files.list": (lambda c, d, o: c.files.list(ID), _is_listed),
    "files.read": (lambda c, d, o: c.files.read(ID, KEY), _is_file),
    "files.upload": (
        lambda c, d, o: c.files.upload(ID, KEY, DESCRIPTION, d / KEY),
        lambda got: (got.checksum, got.result.verified) == (CHECKSUM, "md5"),
    ),
    "files.upload_many": (
        lambda c, d, o: c.files.upload_many(ID, [d / KEY, ("b.bin", bytes(70_000))]),
        lambda got: [file.size for file in got] == [len(CONTENT), 70_000],
    ),
    "files.download": (
        lambda c, d, o: c.files.download(ID, KEY, o / KEY), lambda got: got.read_bytes() == CONTENT,
    ),
    "files.download_many": (lambda c, d, o: c.files.download_many(ID, o), _is_fetched),
    "files.update": (lambda c, d, o: c.files.update(FILE), lambda got: got.metadata == DESCRIPTION),
    "files.delete": (lambda c, d, o: c.files.delete(ID, KEY), _is_nothing),
    "files.delete_all": (lambda c, d, o: c.files.delete_all(ID), _is_nothing),
    "files.sync_dir": (
        lambda c, d, o: c.files.sync_dir(ID, _with_another(d)),
        lambda got: (got.uploaded, got.skipped) == (["another.bin"], [KEY]),
    ),
    "files.wait_fetch": (
        lambda c, d, o: c.files.wait_fetch(ID, KEY, timeout=5), lambda got: got.status == "completed",
    ),
    "records.create": (
        lambda c, d, o: c.records.create(DATA),
        lambda got: got.is_draft and (got.id, got.metadata) == (ID, DATA["metadata"]),
    ),
    "records.read": (
        lambda c, d, o: c.records.read(ID),
        lambda got: got.is_published and got.metadata["title"] == FACTS["title"],
    ),
    "records.update": (
        lambda c, d, o: c.records.update({"id": ID, **DATA}, if_revision=5),
        lambda got: got.is_draft and got.metadata == DATA["metadata"],
    ),
    "records.delete": (lambda c, d, o: c.records.delete(ID), _is_nothing),
    "records.publish": (lambda c, d, o: c.records.publish(ID), lambda got: got.is_published and not got.is_draft),
    "records.search": (lambda c, d, o: list(c.records.search("rain")), _is_the_record),
    "records.versions": (lambda c, d, o: c.records.versions(ID), _is_the_record),
    "records.latest": (lambda c, d, o: c.records.latest(ID), lambda got: got.is_published),
    "records.edit_metadata": (lambda c, d, o: c.records.edit_metadata(ID), _is_draft),
    "records.new_version": (lambda c, d, o: c.records.new_version(ID), _is_draft),
}

TABLE = Table("nrp", canned.NRP_URL, canned.NRP_CASES, ERRORS, _make, ROWS, {KEY: CONTENT})
