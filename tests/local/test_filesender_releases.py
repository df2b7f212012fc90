"""Differences between 2.67 and 3.8 (FileSender protocol, section 13)."""

import re
from html.parser import HTMLParser
from typing import Any, Dict, Iterator, List, Optional, Tuple

import pytest

from smartxfer.errors import UsageError
from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire
from tests.support.local.releases import RELEASES, configured, message, running

TRANSFER = "/rest.php/transfer"
DATA = b"0123456789"


@pytest.fixture(scope="module", params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(release: str) -> Iterator[LocalServer]:
    with running(release) as started:
        yield started


@pytest.fixture
def old(release: str) -> bool:
    return release == "2.67"


class Elements(HTMLParser):
    """Tags of class ``file`` with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: List[Tuple[str, Dict[str, Optional[str]]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        named = dict(attrs)
        if "file" in (named.get("class") or "").split():
            self.found.append((tag, named))


def test_info(site: wire.Site, old: bool) -> None:
    assert ("forward_capabilities" in site.bare("GET", "/rest.php/info").json()) is not old


def test_published_version(server: LocalServer, site: wire.Site, release: str) -> None:
    assert "version" not in site.bare("GET", "/rest.php/info").json()
    with configured(server, disclose_version=True):
        assert site.bare("GET", "/rest.php/info").json()["version"] == release


def test_unknown_release() -> None:
    with pytest.raises(UsageError, match=r"3\.8, 2\.67"):
        LocalServer(services=["filesender"], filesender={"version": "1.6"})


def test_the_download_page(site: wire.Site, old: bool) -> None:
    transfer = site.send("d/it & x.txt", DATA)
    page = site.bare("GET", "/?s=download&token=" + transfer["recipients"][0]["token"])
    [(tag, found)] = Elements(page.body.decode()).found
    assert tag == ("div" if old else "tr")
    file = wire.real_files(transfer)[0]
    assert found["data-name"] == "d/it & x.txt"
    assert (found["data-id"], found["data-size"]) == (str(file["id"]), "10")
    assert (found["data-chunk-size"], found["data-crypted-chunk-size"]) == ("1024", "1056")
    assert found["data-encrypted"] == ""
    assert found["data-transferid"] == str(transfer["id"])


def test_lists_for_a_token(site: wire.Site, old: bool) -> None:
    transfer = site.send("a", DATA)
    ids = [file["id"] for file in wire.real_files(transfer)]
    target = TRANSFER + "/fileids?token=" + transfer["recipients"][0]["token"]
    anonymous = site.bare("GET", target)
    if old:
        assert message(anonymous) == (403, "rest_authentication_required")
    else:
        assert anonymous.json() == ids
    assert site.call("GET", target).json() == ids
    extended = target.replace("fileids", "fileidsextended")
    assert message(site.bare("GET", extended)) == (403, "rest_authentication_required")
    assert [facts["id"] for facts in site.call("GET", extended).json()] == ids


def test_key_versions(server: LocalServer, site: wire.Site, old: bool) -> None:
    def published() -> List[bytes]:
        text = site.bare("GET", "/filesender-config.js.php").body
        return re.findall(rb"(?:key_version_new_files|crypto_crypt_name): '([^']*)'", text)

    assert published() == ([b"1", b"AES-CBC"] if old else [b"3", b"AES-GCM"])
    with configured(server, encryption_key_version=0):
        assert published() == [b"0", b"AES-CBC"]


def test_unsigned_chunks_without_a_right_size_header(site: wire.Site, old: bool) -> None:
    transfer = site.create([("a", 20)])
    file = wire.real_files(transfer)[0]
    target = wire.chunk_target(transfer, file, 10)
    for headers in ({}, {"Content-Type": "application/octet-stream"}):
        bare = site.bare("PUT", target, DATA, headers)
        if old:
            assert bare.json() == {"offset": 10, "written": 10}
        else:
            assert (bare.status, bare.body) == (500, b"")
    lying = site.chunk(transfer, file, 0, DATA, X_Filesender_Chunk_Size="11")
    assert lying.status == (400 if old else 500)
    assert site.chunk(transfer, file, 10, DATA).json()["offset"] == (10 if old else "10")
    # The web page says so for every chunk; the transfer decides.
    assert site.chunk(transfer, file, 10, DATA, X_Filesender_Encrypted="1").json()["written"] == 10
    # The length of a body in HTTP chunks is known only at its end.
    pieces = site.bare("PUT", wire.chunk_target(transfer, file, 0), iter([DATA[:5], DATA[5:]]))
    if old:
        assert pieces.json() == {"offset": 0, "written": 10}
    else:
        assert (pieces.status, pieces.body) == (500, b"")
    site.chunk(transfer, file, 0, DATA)
    site.complete(transfer)
    assert site.fetch(transfer).body == DATA + DATA


def test_an_absolute_expiry(site: wire.Site, old: bool) -> None:
    transfer = site.send("a", DATA)
    place = "{}/{}".format(TRANSFER, transfer["id"])
    moment = int(transfer["expires"]["raw"]) + 86400
    reply = site.call("PUT", place, {"extend_expiry_date": moment})
    if old:
        assert message(reply) == (500, "transfer_expiry_extension_not_allowed")
        assert site.call("GET", place).json()["expires"]["raw"] == moment - 86400
    else:
        assert reply.json()["expires"]["raw"] == str(moment)


def test_options_of_vouchers(site: wire.Site, old: bool) -> None:
    options: Dict[str, Any] = {"guest": {"valid_only_one_time": True}, "transfer": {"get_a_link": False}}
    given = {"from": "ann@example.org", "recipient": "g@example.net", "options": options}
    guest = site.call("POST", "/rest.php/guest", given).json()
    assert guest["options"]["valid_only_one_time"] is True
    assert guest["transfer_options"]["get_a_link"] is False
    assert ("guest" in guest["options"], "transfer" in guest["options"]) == (not old, not old)


def test_dates(site: wire.Site, old: bool) -> None:
    transfer = site.send("a", DATA)
    day = r"\d{1,2} [A-Z][a-z]{2} \d{4}" if old else r"[A-Z][a-z]{2} \d{1,2}, \d{4}"
    clock = r" \d\d:\d\d:\d\d" if old else ", \\d{1,2}:\\d\\d:\\d\\d\u202f[AP]M"
    assert re.fullmatch(day, transfer["created"]["formatted"])
    audit = site.call("GET", "{}/{}/auditlog".format(TRANSFER, transfer["id"])).json()
    assert all(re.fullmatch(day + clock, entry["date"]["formatted"]) for entry in audit)
    assert {type(entry["date"]["raw"]) for entry in audit} == {int}


def test_the_progress_endpoint(site: wire.Site, old: bool) -> None:
    place = "/rest.php/legacyuploadprogress"
    if not old:
        assert message(site.bare("GET", place + "/abc")) == (501, "rest_endpoint_not_implemented")
        return
    assert site.bare("GET", place + "/65a1b2c3d4e5f").json() is None
    assert message(site.bare("GET", place + "/short")) == (400, "rest_bad_parameter")
    assert message(site.bare("GET", place)) == (400, "rest_missing_parameter")
    assert message(site.bare("POST", place, b"{}")) == (501, "rest_method_not_implemented")


def test_the_redirect(site: wire.Site, old: bool) -> None:
    transfer = site.send("a", DATA)
    bare = site.bare("GET", wire.download_target(transfer).rsplit("&", 1)[0])
    assert bare.status == 302
    place = bare.headers["Location"][len(site.url) :]
    assert place.startswith("/download.php?token=" if old else "/download.php??token=")
    assert site.bare("GET", place).body == DATA


def test_what_is_the_same_in_both(site: wire.Site) -> None:
    # A link is the default, files have a `puid`, gaps are not detected, ranges have errors.
    assert site.create([("a", 1)], options={})["options"]["get_a_link"] is True
    transfer = site.create([("a", 20)])
    file = wire.real_files(transfer)[0]
    assert re.fullmatch(r"[0-9a-f-]{36}", file["puid"])
    site.chunk(transfer, file, 10, DATA)
    site.complete(transfer)
    assert site.fetch(transfer).body == bytes(10) + DATA
    assert site.fetch(transfer, {"Range": "bytes=3-12"}).body == bytes(7) + DATA[:3]
    head = wire.request(site.url, "HEAD", wire.download_target(transfer), None, {"Range": "bytes=5-"})
    assert head.headers["Content-Range"] == "bytes 5-20/20"
