"""Management of transfers, terms of use and archives on both releases (FileSender protocol, sections 7 and 8)."""

import http.client
import io
import tarfile
import time
import zipfile
from typing import Any, Dict, Iterator, List

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire
from tests.support.local.releases import EVE, RELEASES, ROOT, configured, message, running

TRANSFER = "/rest.php/transfer"
CONTENTS = {"d/\u00e9.txt": b"abc", "b.bin": bytes(range(250)) * 10}


@pytest.fixture(scope="module", params=RELEASES)
def server(request: pytest.FixtureRequest) -> Iterator[LocalServer]:
    with running(request.param) as started:
        yield started


def at(transfer: Any, *more: str) -> str:
    return "/".join([TRANSFER, str(transfer["id"]), *more])


def kinds(server: LocalServer, transfer: Any) -> List[Any]:
    mails = server.filesender.mails
    return [(mail["to"], mail["kind"]) for mail in mails if mail.get("transfer_id") == transfer["id"]]


def test_lists(server: LocalServer, site: wire.Site) -> None:
    first, second, link = site.send("a", b"1"), site.send("b", b"2"), site.send("c", b"3", options={})
    site.create([("unfinished", 1)])
    ids = [link["id"], second["id"], first["id"]]
    for word in ("", "/@me"):
        listed = site.call("GET", TRANSFER + word).json()
        assert [transfer["id"] for transfer in listed][:3] == ids
    assert listed[1] == site.call("GET", at(second)).json()
    assert listed[1]["recipients"][0]["token"] == second["recipients"][0]["token"]
    # count and startIndex have no effect.
    assert len(site.call("GET", TRANSFER + "?count=1&startIndex=1").json()) == len(listed)
    assert site.call("GET", TRANSFER, **EVE).json() == []
    assert message(site.call("GET", TRANSFER + "/@all", **EVE)) == (403, "rest_admin_required")
    assert len(site.call("GET", TRANSFER + "/@all", **ROOT).json()) == len(listed)
    assert message(site.call("GET", TRANSFER + "/nonsense")) == (400, "rest_bad_parameter")


def test_objects_of_another_user(site: wire.Site) -> None:
    transfer = site.send("a", b"abc")
    person = "/rest.php/recipient/{}".format(transfer["recipients"][0]["id"])
    file = "/rest.php/file/{}".format(transfer["files"][0]["id"])
    calls = [
        ("GET", at(transfer), None), ("GET", at(transfer, "options"), None), ("GET", at(transfer, "salt"), None),
        ("GET", at(transfer, "auditlog"), None), ("GET", at(transfer, "auditlog", "mail"), None),
        ("PUT", at(transfer), {"remind": True}), ("PUT", at(transfer), {"closed": True}),
        ("PUT", at(transfer), {"extend_expiry_date": True}), ("DELETE", at(transfer), None),
        ("POST", at(transfer, "recipient"), {"recipient": "c@example.net"}),
        ("GET", person, None), ("PUT", person, {"remind": True}), ("DELETE", person, None),
        ("GET", file, None), ("DELETE", file, None),
    ]  # fmt: skip
    for method, target, body in calls:
        assert message(site.call(method, target, body, **EVE)) == (403, "rest_ownership_required"), target
    assert site.call("GET", at(transfer), **ROOT).json()["id"] == transfer["id"]


def test_parts(server: LocalServer, site: wire.Site) -> None:
    transfer = site.send("d/a.txt", b"abc")
    whole = site.call("GET", at(transfer)).json()
    assert site.call("GET", at(transfer, "options")).json() == whole["options"]
    assert site.call("GET", at(transfer, "salt")).json() == whole["salt"] == transfer["salt"]
    for part in ("file", "recipient"):
        assert site.call("GET", at(transfer, part)).json() == whole
    assert site.call("GET", at(transfer, "auditlog", "mail")).body == b"true"
    assert kinds(server, transfer)[-1] == ("ann@example.org", "report")
    assert site.call("GET", "/rest.php/file/{}".format(whole["files"][0]["id"])).json() == whole["files"][0]


def test_the_audit_log(site: wire.Site) -> None:
    transfer = site.send("d/a.txt", b"abc")
    assert site.fetch(transfer).body == b"abc"
    site.fetch(transfer, archive_format="tar")
    site.call("PUT", at(transfer), {"closed": True})
    log = site.call("GET", at(transfer, "auditlog")).json()
    assert [entry["event"] for entry in log] == [
        "transfer_started", "upload_started", "file_uploaded", "upload_ended", "transfer_available",
        "transfer_sent", "download_started", "download_ended", "archive_download_started",
        "archive_download_ended", "transfer_closed",
    ]  # fmt: skip
    assert {tuple(entry) for entry in log} == {("date", "event", "author", "target", "time_taken")}
    user, recipient = log[0]["author"], log[6]["author"]
    assert (user["type"], user["identity"], user["ip"]) == ("User", "ann@example.org", "")
    assert isinstance(user["id"], str)
    assert (recipient["type"], recipient["email"]) == ("Recipient", "bob@example.net")
    uploaded = log[2]["target"]
    assert (uploaded["type"], uploaded["path"], uploaded["name"], uploaded["size"]) == (
        "File", "d/a.txt", "a.txt", 3
    )  # fmt: skip
    assert set(log[0]["time_taken"]) == {"raw", "formatted"}


def test_recipients(server: LocalServer, site: wire.Site) -> None:
    transfer = site.create([("a", 0)])
    early = site.call("POST", at(transfer, "recipient"), {"recipient": "early@example.net"})
    assert early.status == 201
    assert early.headers["Location"].endswith("/rest.php/recipient/{}".format(early.json()["id"]))
    assert kinds(server, transfer) == []
    site.complete(transfer)
    twin = site.call("POST", at(transfer, "recipient"), {"recipient": "bob@example.net"}).json()
    assert kinds(server, transfer)[-1] == ("bob@example.net", "transfer_available")
    people = site.call("GET", at(transfer)).json()["recipients"]
    assert [p["email"] for p in people] == ["bob@example.net", "early@example.net", "bob@example.net"]
    assert people[2] == twin
    bad = site.call("POST", at(transfer, "recipient"), {"recipient": "x"})
    assert message(bad) == (500, "bad_email")
    mine = "/rest.php/recipient/{}".format(twin["id"])
    assert site.call("GET", mine).json() == twin
    assert site.call("PUT", mine, {"remind": True}).json() == twin
    assert kinds(server, transfer)[-1] == ("bob@example.net", "transfer_reminder")
    assert site.call("DELETE", mine).body == b"null"
    assert message(site.call("GET", mine)) == (500, "recipient_not_found")
    first, last = ("/rest.php/recipient/{}".format(person["id"]) for person in people[:2])
    assert site.call("DELETE", first).json() is None
    assert transfer["id"] in [t["id"] for t in site.call("GET", TRANSFER).json()]
    # The transfer is removed with its last file.
    assert site.call("DELETE", last).json() is None
    assert transfer["id"] not in [t["id"] for t in site.call("GET", TRANSFER).json()]
    late = site.call("POST", at(transfer, "recipient"), {"recipient": "late@example.net"})
    assert message(late) == (403, "cannot_alter_closed_transfer")


def test_reminders(server: LocalServer, site: wire.Site) -> None:
    transfer, link = site.send("a", b"1"), site.send("b", b"2", options={})
    for one in (transfer, link):
        assert site.call("PUT", at(one), {"remind": True}).json()["id"] == one["id"]
    assert kinds(server, transfer)[-1] == ("bob@example.net", "transfer_reminder")
    assert kinds(server, link) == []


def test_extension(server: LocalServer, site: wire.Site) -> None:
    refused = (500, "transfer_expiry_extension_not_allowed")
    assert message(site.call("PUT", at(site.send("a", b"1")), {"extend_expiry_date": True})) == refused
    with configured(server, expiry_extension_days=5):
        transfer = site.send("a", b"1")
        assert transfer["expiry_date_extension"] == 1
        extended = site.call("PUT", at(transfer), {"extend_expiry_date": True}).json()
        later = int(transfer["expires"]["raw"]) + 5 * 86400
        assert extended["expires"]["raw"] == str(later)
        assert extended["expiry_date_extension"] == 0
        assert site.call("GET", at(transfer)).json()["expires"]["raw"] == later
        assert message(site.call("PUT", at(transfer), {"extend_expiry_date": True})) == refused
    if server.filesender.backend.site.version == "3.8":
        far = int(time.time()) + 21 * 86400
        assert message(site.call("PUT", at(transfer), {"extend_expiry_date": far})) == (500, "bad_expire")


def test_closing(server: LocalServer, site: wire.Site) -> None:
    transfer = site.send("a", b"abc")
    closed = site.call("PUT", at(transfer), {"closed": True}).json()
    assert closed["id"] == transfer["id"]
    assert kinds(server, transfer)[-1] == ("bob@example.net", "transfer_closed")
    # It is listed until it is purged; closing and reminding have no effect and send no mail.
    shown = site.call("GET", at(transfer)).json()
    assert (shown["id"], shown["expires"]["raw"] <= time.time()) == (transfer["id"], True)
    person = "/rest.php/recipient/{}".format(transfer["recipients"][0]["id"])
    mailed = len(server.filesender.mails)
    for place, change in ((at(transfer), "remind"), (at(transfer), "closed"), (person, "remind")):
        again = site.call("PUT", place, {change: True})
        assert (again.status, "errors" in again.json() or again.json() == shown) == (200, True)
    assert len(server.filesender.mails) == mailed
    extended = site.call("PUT", at(transfer), {"extend_expiry_date": True})
    assert message(extended) == (500, "transfer_expiry_extension_not_allowed")
    refused = (403, "cannot_alter_closed_transfer")
    assert message(site.call("POST", at(transfer) + "/recipient", {"recipient": "k@example.net"})) == refused
    assert message(site.call("DELETE", person)) == refused
    # The file is opened after the headers were sent.
    with pytest.raises(http.client.IncompleteRead):
        site.fetch(transfer)
    head = wire.request(site.url, "HEAD", wire.download_target(transfer))
    assert (head.status, head.headers["Content-Length"]) == (500, "3")
    page = site.bare("GET", "/?s=download&token=" + transfer["recipients"][0]["token"])
    assert (page.status, b'class="exception"' in page.body) == (200, True)
    early = site.create([("b", 1)])
    assert site.call("PUT", at(early), {"closed": True}).json()["id"] == early["id"]
    assert message(site.call("GET", at(early))) == (500, "transfer_not_found")


def test_deleting(site: wire.Site) -> None:
    transfer = site.send("a", b"abc")
    assert site.call("DELETE", at(transfer)).body == b"null"
    for method in ("GET", "DELETE"):
        assert message(site.call(method, at(transfer))) == (500, "transfer_not_found")
    two = site.create([("a", 0), ("b", 0)])
    site.complete(two)
    for file in wire.real_files(two):
        assert site.call("DELETE", "/rest.php/file/{}".format(file["id"])).body == b"null"
    assert two["id"] not in [t["id"] for t in site.call("GET", TRANSFER).json()]


def test_terms_of_use(server: LocalServer, site: wire.Site) -> None:
    with configured(server, aup_required=True):
        body = {"from": "ann@example.org", "files": [{"name": "a", "size": 1}], "options": {}}
        for more in ({}, {"aup_checked": False}):
            assert message(site.call("POST", TRANSFER, {**body, **more})) == (400, "rest_bad_parameter")
        transfer = site.call("POST", TRANSFER, {**body, "aup_checked": True}).json()
        # The terms were accepted with the transfer: later changes do not need it.
        assert site.call("POST", at(transfer, "recipient"), {"recipient": "c@example.net"}).status == 201


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
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            stream = tar.extractfile(member)
            assert stream is not None
            found[member.name] = stream.read()
    return found


@pytest.mark.parametrize("posted", [False, True])
@pytest.mark.parametrize(("kind", "start"), [("", b"PK"), ("zip", b"PK"), ("tar", b"")])
def test_archives(site: wire.Site, bundle: Any, kind: str, start: bytes, posted: bool) -> None:
    more = {"archive_format": kind} if kind else {}
    target = wire.download_target(bundle, **more)
    if posted:
        place, _, form = target.partition("?")
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = site.bare("POST", place, form.encode(), headers)
    else:
        reply = site.bare("GET", target, None, {"Range": "bytes=0-9"})
    assert reply.status == 200
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    assert "Accept-Ranges" not in reply.headers
    assert reply.headers["Content-Type"] == ("application/x-tar" if kind == "tar" else "application/x-zip")
    assert reply.body.startswith(start)
    assert unpacked(reply.body) == CONTENTS


def test_an_archive_for_the_owner(site: wire.Site, bundle: Any) -> None:
    ids = ",".join(str(file["id"]) for file in wire.real_files(bundle))
    target = f"/download.php?files_ids={ids}&transaction_id={wire.TRANSACTION}&archive_format=tar"
    assert unpacked(site.bare("GET", site.signed("GET", target)).body) == CONTENTS
    stranger = site.signed("GET", target, **EVE)
    assert site.bare("GET", stranger).status == 500


def test_an_archive_of_one_file_and_of_none(site: wire.Site, bundle: Any) -> None:
    [file] = [file for file in wire.real_files(bundle) if file["name"] == "b.bin"]
    one = site.fetch(bundle, files_ids=str(file["id"]), archive_format="zip")
    assert unpacked(one.body) == {"b.bin": CONTENTS["b.bin"]}
    assert site.fetch(bundle, files_ids="{},999999".format(file["id"])).status == 500
    head = wire.request(site.url, "HEAD", wire.download_target(bundle, archive_format="zip"))
    assert (head.status, head.body) == (200, b"")
