"""The calls of SmartFile."""

from __future__ import annotations

from typing import Any

from smartxfer import BasicClient
from smartxfer.smartfile.errors import ERRORS
from smartxfer.testing import canned
from tests.support.canned_calls.table import Rows, Table, facts

FACTS = facts("smartfile", "stat")
CONTENT, PATH, TASK, LINK = FACTS["content"], FACTS["path"], FACTS["task"], FACTS["link"]


def _make(url: str, **options: Any) -> BasicClient:
    return BasicClient("k" * 30, "p" * 30, url=url, **options)


def _is_info(got: Any) -> bool:
    return got.isfile and got.size == len(CONTENT)


def _is_listed(got: Any) -> bool:
    return [(info.path, info.size) for info in got] == [(PATH, len(CONTENT))]


def _is_done(got: Any) -> bool:
    return got.done and not got.errors


def _is_sent(got: Any) -> bool:
    return [(one.name, one.verified) for one in got] == [(PATH, "size")]


def _is_fetched(got: Any) -> bool:
    return [one.path.read_bytes() for one in got] == [CONTENT]


ROWS: Rows = {
    "get": (
        lambda c, d, o: c.get("/path/info", PATH),
        lambda got: (got["path"], got["size"]) == (PATH, len(CONTENT)),
    ),
    "post": (lambda c, d, o: c.post("/path/oper/move/", src=PATH, dst="/old/"), lambda got: got["uuid"] == TASK),
    "stat": (lambda c, d, o: c.stat(PATH), lambda got: _is_info(got) and got.path == PATH),
    "exists": (lambda c, d, o: c.exists(PATH), lambda got: got is True),
    "info": (lambda c, d, o: c.info(PATH), _is_info),
    "list": (lambda c, d, o: c.list("/docs"), _is_listed),
    "listdir": (lambda c, d, o: c.listdir("/docs"), _is_listed),
    "upload_many": (lambda c, d, o: c.upload_many([d / "report.csv"], "/docs"), _is_sent),
    "sync": (lambda c, d, o: c.sync(d, "/docs"), lambda got: ["report.csv"] in (got.skipped, got.replaced)),
    "download_many": (lambda c, d, o: c.download_many([PATH], o), _is_fetched),
    "mkdir": (lambda c, d, o: c.mkdir("/new"), lambda got: got.path == "/new" and got.isdir),
    "rename": (lambda c, d, o: c.rename(PATH, "/docs/æ #1.csv"), lambda got: got.path == "/docs/æ #1.csv"),
    "checksum": (lambda c, d, o: c.checksum(PATH), lambda got: got == FACTS["md5"]),
    "copy": (lambda c, d, o: c.copy(PATH, "/old"), _is_done),
    "move": (lambda c, d, o: c.move(PATH, "/old/"), _is_done),
    "remove": (lambda c, d, o: c.remove(PATH), lambda got: got is None),
    "wait": (lambda c, d, o: c.wait(TASK), lambda got: got.uuid == TASK),
    "create_link": (lambda c, d, o: c.create_link(PATH), lambda got: got.uid == LINK and got.uid in got.href),
    "links": (lambda c, d, o: c.links(), lambda got: [link.uid for link in got] == [LINK]),
    "delete_link": (lambda c, d, o: c.delete_link(LINK), lambda got: got is None),
    "upload": (
        lambda c, d, o: c.upload(d / "report.csv", "/docs/", checksum="sha256"),
        lambda got: (got.name, got.bytes, got.verified) == (PATH, len(CONTENT), "sha256"),
    ),
    "upload_tree": (lambda c, d, o: c.upload_tree(d, "/docs"), _is_sent),
    "download": (
        lambda c, d, o: c.download(PATH, o / "report.csv", checksum="md5"),
        lambda got: (got.path.read_bytes(), got.verified) == (CONTENT, "md5"),
    ),
    "download_tree": (lambda c, d, o: c.download_tree("/docs", o), _is_fetched),
}

TABLE = Table(
    "smartfile", canned.SMARTFILE_URL, canned.SMARTFILE_CASES, ERRORS, _make, ROWS, {"report.csv": CONTENT}
)
