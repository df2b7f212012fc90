"""Downloads on both releases: pages, the configuration script, files and archives (FileSender protocol, 8)."""

import http.client
import io
import os
import re
import tarfile
import zipfile
from typing import Any, Dict, Tuple
from urllib.parse import urlsplit

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire
from tests.support.local.releases import EVE, configured, each_release, is_2x

DATA = bytes(place % 251 for place in range(1000))
CONTENTS = {"d/\u00e9.txt": b"abc", "b.bin": bytes(range(250)) * 10}

server = each_release()


def page_of(site: wire.Site, transfer: Any) -> str:
    page = site.bare("GET", "/?s=download&token=" + transfer["recipients"][0]["token"])
    assert page.status == 200
    return page.body.decode()


def broken_off(site: wire.Site, target: str, **headers: str) -> Tuple[int, int, bytes]:
    """Return status, Content-Length and body of an incomplete download."""
    parts = urlsplit(site.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request("GET", target, None, headers)
        answer = connection.getresponse()
        promised = int(answer.headers["Content-Length"])
        with pytest.raises(http.client.IncompleteRead) as caught:
            answer.read()
        return answer.status, promised, caught.value.partial
    finally:
        connection.close()


# Pages


def test_the_download_page(server: LocalServer, site: wire.Site) -> None:
    shown = page_of(site, site.send("dir/it & \u00e9.txt", b"abc"))
    assert shown.count('<{} class="file"'.format("div" if is_2x(server) else "tr")) == 1
    assert 'data-name="dir/it &amp; \u00e9.txt"' in shown
    locked = site.send("a", b"x", options={"must_be_logged_in_to_download": True})
    assert 'class="file"' not in page_of(site, locked)
    assert [site.bare("GET", target).status for target in ("/", "/nowhere")] == [200, 404]


def test_the_configuration_script(server: LocalServer, site: wire.Site) -> None:
    with configured(server, ban_extension="it's"):
        script = site.bare("GET", "/filesender-config.js.php")
    assert "javascript" in script.headers["Content-Type"]
    assert b"upload_chunk_size: 1024," in script.body
    assert b"ban_extension: 'it\\'s'," in script.body
    # The rule has no end.
    assert rb"valid_filename_regex: '^[ \\/\\p{L}\\p{N}_\\.,;:!@#$%^&*)(\\]\\[_-]+'," in script.body


def test_values_that_are_false_in_php_are_empty_attributes(site: wire.Site) -> None:
    transfer = site.create([("0", 0), ("empty", 0), ("0.txt", 1)])
    last = next(file for file in wire.real_files(transfer) if file["name"] == "0.txt")
    assert site.chunk(transfer, last, 0, b"x").status == 200
    site.complete(transfer)
    rows = page_of(site, transfer).split('class="file"')[1:]
    shown = [dict(re.findall(r'data-([\w-]+)="([^"]*)"', row)) for row in rows]
    names = ("name", "size", "encrypted-size", "key-version", "encrypted")
    assert sorted(tuple(row[name] for name in names) for row in shown) == [
        ("", "", "", "", ""), ("0.txt", "1", "32", "", ""), ("empty", "", "", "", ""),
    ]  # fmt: skip


# Files


def test_ways_to_ask_for_a_file(site: wire.Site) -> None:
    transfer = site.send("dir/\u00e9 x.bin", DATA)
    place = wire.download_target(transfer)
    bare = site.bare("GET", place.replace("&transaction_id=" + wire.TRANSACTION, ""))
    followed = site.bare("GET", bare.headers["Location"][len(site.url) :])
    assert (bare.status, followed.body) == (302, DATA)
    assert "filename*=UTF-8''%C3%A9%20x.bin" in followed.headers["Content-Disposition"]
    head = site.bare("HEAD", place)
    assert (head.status, head.headers["Content-Length"]) == (200, "1000")
    assert site.bare("POST", "/download.php", place.split("?")[1].encode()).body == DATA
    owner = "/download.php?files_ids={}&transaction_id={}".format(
        wire.real_files(transfer)[0]["id"], wire.TRANSACTION
    )
    assert site.bare("GET", site.signed("GET", owner)).body == DATA
    assert site.bare("GET", owner).status == 500


def test_refused_downloads(site: wire.Site) -> None:
    transfer = site.send("a", b"abc")
    upper = transfer["recipients"][0]["token"].upper()
    for wrong in (*({"files_ids": ids} for ids in ("99999", "", "x")), {"token": "x"}, {"token": upper}):
        reply = site.fetch(transfer, **wrong)
        assert (reply.status, reply.body) == (500, b"")
        assert reply.headers["Content-Type"].startswith("text/html")
    assert site.fetch(site.create([("b", 1)])).status == 500


def test_a_browser_is_sent_to_an_error_page(server: LocalServer, site: wire.Site) -> None:
    session = server.filesender.backend.sessions.begin(0.0)
    reply = site.fetch(site.send("a", b"abc"), {"Cookie": "PHPSESSID=" + session.id}, token="x")
    assert reply.status == 302
    page = site.bare("GET", reply.headers["Location"][len(site.url) :])
    assert (page.status, b'class="exception"' in page.body) == (200, True)


def test_downloads_after_the_expiry(server: LocalServer, site: wire.Site) -> None:
    transfer = site.send("a", b"x")
    with configured(server, clock_offset=11 * 86400.0):
        assert site.fetch(transfer).status == 500
    assert site.fetch(transfer).status == 200


def test_a_stored_file_that_is_missing(server: LocalServer, site: wire.Site) -> None:
    transfer = site.send("a", b"hello")
    os.unlink(server.filesender.stored(wire.real_files(transfer)[0]["id"]))
    target = wire.download_target(transfer)
    assert broken_off(site, target) == (500, 5, b"")
    assert broken_off(site, target, Range="bytes=1-3") == (500, 3, b"")


def test_mails_about_downloads(server: LocalServer, site: wire.Site) -> None:
    transfer = site.send("a", DATA, options={"get_a_link": False, "email_download_complete": True})
    mailed = len(server.filesender.mails)
    site.fetch(transfer, notify_upon_completion="1")
    assert [(mail["to"], mail["kind"]) for mail in server.filesender.mails[mailed:]] == [
        ("ann@example.org", "download_complete"), ("bob@example.net", "recipient_download_complete"),
    ]  # fmt: skip


# Archives


@pytest.fixture(scope="module")
def bundle(server: LocalServer) -> Any:
    """Create a transfer of several files."""
    site = wire.Site(server.filesender)
    transfer = site.create([(name, len(data)) for name, data in CONTENTS.items()])
    for file in wire.real_files(transfer):
        for offset in range(0, len(CONTENTS[file["name"]]), 1000):
            part = CONTENTS[file["name"]][offset : offset + 1000]
            assert site.chunk(transfer, file, offset, part).status == 200
    site.complete(transfer)
    return transfer


def unpacked(data: bytes) -> Dict[str, bytes]:
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
            assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
            return {info.filename: archive.read(info) for info in archive.infolist()}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: (tar.extractfile(member) or io.BytesIO()).read() for member in tar}


@pytest.mark.parametrize("posted", [False, True])
@pytest.mark.parametrize(("kind", "start"), [("", b"PK"), ("zip", b"PK"), ("tar", b"")])
def test_archives(site: wire.Site, bundle: Any, kind: str, start: bytes, posted: bool) -> None:
    target = wire.download_target(bundle, **({"archive_format": kind} if kind else {}))
    if posted:
        place, _, form = target.partition("?")
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = site.bare("POST", place, form.encode(), headers)
    else:
        reply = site.bare("GET", target, None, {"Range": "bytes=0-9"})
    assert (reply.status, int(reply.headers["Content-Length"])) == (200, len(reply.body))
    assert "Accept-Ranges" not in reply.headers
    assert reply.headers["Content-Type"] == ("application/x-tar" if kind == "tar" else "application/x-zip")
    assert reply.body.startswith(start)
    assert unpacked(reply.body) == CONTENTS


def test_refused_archives(site: wire.Site, bundle: Any) -> None:
    """Archives of chosen files, and for the owner: tests/filesender/management/test_archives.py."""
    ids = ",".join(str(file["id"]) for file in wire.real_files(bundle))
    target = f"/download.php?files_ids={ids}&transaction_id={wire.TRANSACTION}&archive_format=tar"
    assert site.bare("GET", site.signed("GET", target, **EVE)).status == 500
    assert site.fetch(bundle, files_ids=ids + ",999999").status == 500
    head = wire.request(site.url, "HEAD", wire.download_target(bundle, archive_format="zip"))
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize(("kind", "status"), [("zip", 500), ("rar", 500), ("tar", 200)])
def test_archives_with_an_empty_file_break_off(site: wire.Site, kind: str, status: int) -> None:
    transfer = site.create([("a", 3), ("empty", 0), ("b", 3)])
    for file in wire.real_files(transfer):
        if file["name"] != "empty":
            site.chunk(transfer, file, 0, b"abc")
    site.complete(transfer)
    found = broken_off(site, wire.download_target(transfer, archive_format=kind))
    assert (found[0], len(found[2]) < found[1]) == (status, True)
