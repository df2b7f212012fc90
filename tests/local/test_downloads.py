"""Downloads: lists, pages, the configuration script, files and archives."""

import io
import re
import tarfile
import zipfile
from typing import Tuple

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire

DATA = bytes(place % 251 for place in range(2500))
CREATE = "/rest.php/transfer"


def message(reply: wire.Reply) -> Tuple[int, str]:
    return reply.status, reply.json()["message"]


def test_lists_for_a_token(site: wire.Site) -> None:
    transfer = site.send("a", b"abc")
    token = transfer["recipients"][0]["token"]
    ids = [file["id"] for file in transfer["files"]]
    assert site.bare("GET", CREATE + "/fileids?token=" + token).json() == ids
    anonymous = site.bare("GET", CREATE + "/fileidsextended?token=" + token)
    assert message(anonymous) == (403, "rest_authentication_required")
    facts = site.call("GET", CREATE + "/fileidsextended?token=" + token).json()[0]
    assert (facts["name"], facts["size"], facts["encrypted"]) == ("a", 3, False)
    # As on a real server for plain files: the size with key version 0.
    assert facts["encrypted_size"] == facts["encrypted-size"] == 32
    unknown = "00000000-0000-0000-0000-000000000000"
    assert site.bare("GET", CREATE + "/fileids?token=" + unknown).status == 500
    assert message(site.bare("GET", CREATE + "/fileids?token=x")) == (400, "rest_bad_parameter")


def test_the_download_page(site: wire.Site) -> None:
    transfer = site.send("dir/it & \u00e9.txt", b"abc")
    page = site.bare("GET", "/?s=download&token=" + transfer["recipients"][0]["token"])
    assert page.status == 200
    assert page.body.count(b'<tr class="file"') == 1
    assert 'data-name="dir/it &amp; \u00e9.txt"'.encode() in page.body
    for token in ("x", "00000000-0000-0000-0000-000000000000"):
        wrong = site.bare("GET", "/?s=download&token=" + token)
        assert wrong.status == 200
        assert b'class="exception"' in wrong.body
        assert b'class="file"' not in wrong.body
    locked = site.send("a", b"x", options={"must_be_logged_in_to_download": True})
    closed = site.bare("GET", "/?s=download&token=" + locked["recipients"][0]["token"])
    assert closed.status == 200
    assert b'class="file"' not in closed.body
    assert site.bare("GET", "/").status == 200
    assert site.bare("GET", "/nowhere").status == 404


def test_the_configuration_script(server: LocalServer, site: wire.Site) -> None:
    server.filesender.configure(ban_extension="it's")
    script = site.bare("GET", "/filesender-config.js.php")
    assert "javascript" in script.headers["Content-Type"]
    assert b"upload_chunk_size: 5242880," in script.body
    assert b"encryption_key_version_new_files: '3'," in script.body
    assert b"ban_extension: 'it\\'s'," in script.body
    assert rb"valid_filename_regex: '^[ \\/\\p{L}" in script.body


def test_downloads(server: LocalServer, site: wire.Site) -> None:
    transfer = site.send("dir/\u00e9 x.bin", DATA)
    place = wire.download_target(transfer)
    bare = site.bare("GET", place.replace("&transaction_id=" + wire.TRANSACTION, ""))
    assert bare.status == 302
    assert "/download.php??token=" in bare.headers["Location"]
    followed = site.bare("GET", bare.headers["Location"][len(site.url) :])
    assert followed.body == DATA
    assert "filename*=UTF-8''%C3%A9%20x.bin" in followed.headers["Content-Disposition"]
    head = site.bare("HEAD", place)
    assert (head.status, head.headers["Content-Length"]) == (200, "2500")
    query = place.split("?")[1]
    posted = site.bare("POST", "/download.php", query.encode())
    assert posted.body == DATA
    files_id = wire.real_files(transfer)[0]["id"]
    owner = f"/download.php?files_ids={files_id}&transaction_id={wire.TRANSACTION}"
    assert site.bare("GET", site.signed("GET", owner)).body == DATA
    assert site.bare("GET", owner).status == 500


def test_bad_downloads(site: wire.Site) -> None:
    transfer = site.send("a", b"abc")
    for wrong in ({"files_ids": "99999"}, {"files_ids": ""}, {"token": "x"}, {"files_ids": "x"}):
        reply = site.fetch(transfer, **wrong)
        assert (reply.status, reply.body) == (500, b"")
        assert reply.headers["Content-Type"].startswith("text/html")
    half = site.create([("b", 1)])
    assert site.fetch(half).status == 500


def test_a_browser_is_sent_to_an_error_page(server: LocalServer, site: wire.Site) -> None:
    session = server.filesender.backend.sessions.begin(0.0)
    transfer = site.send("a", b"abc")
    reply = site.fetch(transfer, {"Cookie": "PHPSESSID=" + session.id}, token="x")
    assert reply.status == 302
    page = site.bare("GET", reply.headers["Location"][len(site.url) :])
    assert page.status == 200
    assert b'class="exception"' in page.body


@pytest.mark.parametrize("kind", ["zip", "tar", ""])
def test_archives(site: wire.Site, kind: str) -> None:
    contents = {"d/\u00e9.txt": b"abc", "b.bin": DATA}
    transfer = site.create([(name, len(data)) for name, data in contents.items()])
    for file in wire.real_files(transfer):
        site.chunk(transfer, file, 0, contents[file["name"]])
    site.complete(transfer)
    more = {"archive_format": kind} if kind else {}
    reply = site.fetch(transfer, {"Range": "bytes=0-9"}, **more)
    assert reply.status == 200
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    assert "Accept-Ranges" not in reply.headers
    found = {}
    if kind == "tar":
        with tarfile.open(fileobj=io.BytesIO(reply.body)) as tar:
            for member in tar:
                stream = tar.extractfile(member)
                found[member.name] = stream.read() if stream else None
    else:
        with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
            assert archive.testzip() is None
            assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
            found = {info.filename: archive.read(info) for info in archive.infolist()}
    assert found == contents


def test_mails_about_downloads(server: LocalServer, site: wire.Site) -> None:
    options = {"get_a_link": False, "email_download_complete": True}
    transfer = site.send("a", DATA, options=options)
    site.fetch(transfer, notify_upon_completion="1")
    kinds = [(mail["to"], mail["kind"]) for mail in server.filesender.mails[1:]]
    assert kinds == [
        ("ann@example.org", "download_complete"),
        ("bob@example.net", "recipient_download_complete"),
    ]
    audit = site.call("GET", "{}/{}/auditlog".format(CREATE, transfer["id"])).json()
    assert [entry["event"] for entry in audit][-2:] == ["download_started", "download_ended"]


def test_what_php_takes_for_false_is_an_empty_attribute(site: wire.Site) -> None:
    transfer = site.create([("0", 0), ("empty", 0), ("0.txt", 1)])
    last = next(file for file in wire.real_files(transfer) if file["name"] == "0.txt")
    assert site.chunk(transfer, last, 0, b"x").status == 200
    site.complete(transfer)
    page = site.bare("GET", "/?s=download&token=" + transfer["recipients"][0]["token"]).body.decode()
    shown = [dict(re.findall(r'data-([\w-]+)="([^"]*)"', row)) for row in page.split('class="file"')[1:]]
    names = ("name", "size", "encrypted-size", "key-version", "encrypted")
    assert [tuple(row[name] for name in names) for row in shown] == [
        ("", "", "", "", ""),
        ("0.txt", "1", "32", "", ""),
        ("empty", "", "", "", ""),
    ]
