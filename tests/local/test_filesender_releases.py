"""Differences between 2.67 and 3.8 (FileSender protocol, section 13)."""

import re
import time
from typing import List

from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire
from tests.support.local.releases import configured, each_release, is_2x, message

TRANSFER = "/rest.php/transfer"
DATA = b"0123456789"

server = each_release()


def test_published_version(server: LocalServer, site: wire.Site) -> None:
    assert "version" not in site.bare("GET", "/rest.php/info").json()
    with configured(server, disclose_version=True):
        assert site.bare("GET", "/rest.php/info").json()["version"] == ("2.67" if is_2x(server) else "3.8")


def test_key_versions(server: LocalServer, site: wire.Site) -> None:
    def published() -> List[bytes]:
        text = site.bare("GET", "/filesender-config.js.php").body
        return re.findall(rb"(?:key_version_new_files|crypto_crypt_name): '([^']*)'", text)

    assert published() == ([b"1", b"AES-CBC"] if is_2x(server) else [b"3", b"AES-GCM"])
    with configured(server, encryption_key_version=0):
        assert published() == [b"0", b"AES-CBC"]


def test_unsigned_chunks_without_a_right_size_header(server: LocalServer, site: wire.Site) -> None:
    transfer, old = site.create([("a", 20)]), is_2x(server)
    file = wire.real_files(transfer)[0]
    # Without a size header, and in HTTP chunks, whose length is known only at the end.
    binary = {"Content-Type": "application/octet-stream"}
    for headers, body in (({}, DATA), (binary, DATA), ({}, iter([DATA]))):
        bare = site.bare("PUT", wire.chunk_target(transfer, file, 10), body, headers)
        if old:
            assert bare.json() == {"offset": 10, "written": 10}
        else:
            assert (bare.status, bare.body) == (500, b"")
    lying = site.chunk(transfer, file, 0, DATA, X_Filesender_Chunk_Size="11")
    assert lying.status == (400 if old else 500)
    # The failed call has written its bytes.
    assert server.filesender.transfers()[-1]["status"] == "uploading"
    assert site.chunk(transfer, file, 10, DATA).json()["offset"] == (10 if old else "10")
    # The web page sends this header with every chunk; the transfer decides.
    assert site.chunk(transfer, file, 10, DATA, X_Filesender_Encrypted="1").json()["written"] == 10
    site.chunk(transfer, file, 0, DATA)
    site.complete(transfer)
    assert site.fetch(transfer).body == DATA + DATA


def test_the_progress_endpoint(server: LocalServer, site: wire.Site) -> None:
    place = "/rest.php/legacyuploadprogress"
    if not is_2x(server):
        assert message(site.bare("GET", place + "/abc")) == (501, "rest_endpoint_not_implemented")
        return
    assert site.bare("GET", place + "/65a1b2c3d4e5f").json() is None
    assert message(site.bare("GET", place + "/short")) == (400, "rest_bad_parameter")
    assert message(site.bare("GET", place)) == (400, "rest_missing_parameter")
    assert message(site.bare("POST", place, b"{}")) == (501, "rest_method_not_implemented")


def test_gaps_and_faulty_ranges_of_both(site: wire.Site) -> None:
    transfer = site.create([("a", 20)])
    file = wire.real_files(transfer)[0]
    assert re.fullmatch(r"[0-9a-f-]{36}", file["puid"])
    # A gap is not detected, and consists of zeros.
    site.chunk(transfer, file, 10, DATA)
    site.complete(transfer)
    assert site.fetch(transfer).body == bytes(10) + DATA
    assert site.fetch(transfer, {"Range": "bytes=3-12"}).body == bytes(7) + DATA[:3]
    head = wire.request(site.url, "HEAD", wire.download_target(transfer), None, {"Range": "bytes=5-"})
    assert head.headers["Content-Range"] == "bytes 5-20/20"


# A site in trouble


def test_maintenance(server: LocalServer, site: wire.Site) -> None:
    transfer = site.send("a", b"hello")
    place = "{}/{}".format(TRANSFER, transfer["id"])
    with configured(server, maintenance=True):
        assert message(site.call("GET", place)) == (503, "undergoing_maintenance")
        page = site.bare("GET", "/?s=download&token=" + transfer["recipients"][0]["token"])
        assert (page.status, b"undergoing maintenance" in page.body) == (200, True)
        assert (b'class="file"' in page.body, b'class="exception"' in page.body) == (False, False)
    assert site.call("GET", place).status == 200


def test_a_database_that_is_down(server: LocalServer, site: wire.Site) -> None:
    transfer = site.create([("a", 5)])
    [file] = wire.real_files(transfer)
    with configured(server, database_down=True):
        assert message(site.chunk(transfer, file, 0, b"hello")) == (500, "failed_to_connect_to_database")
        assert site.bare("GET", wire.download_target(transfer)).status == 500
    assert site.chunk(transfer, file, 0, b"hello").status == 200


def test_limits_of_a_day(server: LocalServer, site: wire.Site) -> None:
    place = "{}/{}".format(TRANSFER, site.send("a", b"hello")["id"])
    with configured(server, max_reminders_per_day=1, max_guests_per_day=0, clock_offset=0.0):
        assert site.call("PUT", place, {"remind": True}).status == 200
        assert message(site.call("PUT", place, {"remind": True})) == (500, "rate_limit_exceeded")
        given = {"from": "ann@example.org", "recipient": "g@example.net", "options": {}}
        assert message(site.call("POST", "/rest.php/guest", given)) == (500, "rate_limit_exceeded")
        server.filesender.configure(clock_offset=86401.0)
        later = site.signed("PUT", place, b'{"remind": true}', stamp=int(time.time()) + 86401)
        assert site.bare("PUT", later, b'{"remind": true}').status == 200
