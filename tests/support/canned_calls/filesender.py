"""The calls of FileSender."""

from __future__ import annotations

from typing import Any

from smartxfer import FileSenderClient, UserAuth
from smartxfer.filesender.errors import ERRORS
from smartxfer.testing import canned
from tests.support.canned_calls.table import Rows, Table, facts

FACTS = facts("filesender", "prepare")
CONTENT = FACTS["content"]
FILE: Any = {"id": 107, "transfer_id": 42, "puid": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "name": "report.csv", "size": 19}
TOKEN = "a1b2c3d4-e5f6-a7b8-c9d0-e1f2a3b4c5d6"
BOB, ANN = "bob@example.net", "ann@example.org"
TRANSFER: Any = {"recipients": [BOB], "from": ANN, "files": [{"name": "report.csv", "size": 19}]}
GUEST: Any = {"recipient": BOB, "from": ANN}


def _make(url: str, **options: Any) -> FileSenderClient:
    return FileSenderClient(url, auth=UserAuth(ANN, "0123456789abcdef" * 4), **options)


def _nothing(got: Any) -> bool:
    return True


def _is_transfer(got: Any) -> bool:
    return (got.id, got.files[0].name) == (FACTS["transfer_id"], FACTS["file_name"])


def _is_sent(got: Any) -> bool:
    return got.download_url.endswith(FACTS["token"]) and got.results[0].bytes == len(CONTENT)


def _is_fetched(got: Any) -> bool:
    return [one.path.read_bytes() for one in got] == [CONTENT]


ROWS: Rows = {
    "prepare": (lambda c, d, o: c.prepare(), _nothing),
    "get_server_info": (lambda c, d, o: c.get_server_info(), lambda got: got.upload_chunk_size == 5242880),
    "create_transfer": (lambda c, d, o: c.create_transfer(TRANSFER), _is_transfer),
    "transfers.get": (lambda c, d, o: c.transfers.get(42), lambda got: _is_transfer(got) and got.token == TOKEN),
    "update_transfer": (lambda c, d, o: c.update_transfer(42, {"complete": True}), _is_transfer),
    "transfers.delete": (lambda c, d, o: c.transfers.delete(42), _nothing),
    "update_file": (lambda c, d, o: c.update_file(FILE, {"complete": True}), _nothing),
    "upload_file": (lambda c, d, o: c.upload_file(FILE, d / "report.csv"), _nothing),
    "upload_complete": (lambda c, d, o: c.upload_complete(FILE, d / "report.csv"), _nothing),
    "upload_workflow": (lambda c, d, o: c.upload_workflow([d / "report.csv"], {"recipients": [BOB]}), _is_sent),
    "upload": (lambda c, d, o: c.upload(d / "report.csv", BOB), _nothing),
    "upload_many": (lambda c, d, o: c.upload_many([d / "report.csv"], BOB), _nothing),
    "upload_tree": (lambda c, d, o: c.upload_tree(d, BOB), _nothing),
    "list": (lambda c, d, o: c.list(TOKEN), _nothing),
    "info": (lambda c, d, o: c.info(TOKEN), _nothing),
    "exists": (lambda c, d, o: c.exists(TOKEN), _nothing),
    "download": (lambda c, d, o: c.download(TOKEN, o / "report.csv"), lambda got: got.path.read_bytes() == CONTENT),
    "download_many": (lambda c, d, o: c.download_many([TOKEN], o), _is_fetched),
    "download_tree": (lambda c, d, o: c.download_tree(TOKEN, o), _is_fetched),
    "create_guest": (lambda c, d, o: c.create_guest(GUEST), lambda got: got.token == FACTS["vid"]),
    "list_files": (lambda c, d, o: c.list_files(TOKEN), lambda got: [(f.id, f.size) for f in got] == [(107, 19)]),
    "download_file": (lambda c, d, o: c.download_file(TOKEN, 107, o), lambda got: got.path.read_bytes() == CONTENT),
    "download_files": (lambda c, d, o: c.download_files(TOKEN, o), _is_fetched),
}

TABLE = Table("filesender", canned.BASE_URL, canned.CASES, ERRORS, _make, ROWS, {"report.csv": CONTENT})
