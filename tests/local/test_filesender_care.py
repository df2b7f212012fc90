"""Management of transfers on both releases (FileSender protocol, section 7)."""

import http.client
import time
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire
from tests.support.local.releases import EVE, ROOT, configured, each_release, message

TRANSFER = "/rest.php/transfer"
CLOSED = (403, "cannot_alter_closed_transfer")
NO_EXTENSION = (500, "transfer_expiry_extension_not_allowed")

server = each_release()


def at(transfer: Any, *more: str) -> str:
    return "/".join([TRANSFER, str(transfer["id"]), *more])


def person_of(transfer: Any, place: int = 0) -> str:
    return "/rest.php/recipient/{}".format(transfer["recipients"][place]["id"])


def kinds(server: LocalServer, transfer: Any) -> List[Any]:
    mails = server.filesender.mails
    return [(mail["to"], mail["kind"]) for mail in mails if mail.get("transfer_id") == transfer["id"]]


def listed(site: wire.Site) -> List[int]:
    return [transfer["id"] for transfer in site.call("GET", TRANSFER).json()]


def test_lists(site: wire.Site) -> None:
    first, second, link = site.send("a", b"1"), site.send("b", b"2"), site.send("c", b"3", options={})
    site.create([("unfinished", 1)])
    found = site.call("GET", TRANSFER).json()
    assert [transfer["id"] for transfer in found][:3] == [link["id"], second["id"], first["id"]]
    assert found == site.call("GET", TRANSFER + "/@me").json()
    assert found[1] == site.call("GET", at(second)).json()
    assert found[1]["recipients"][0]["token"] == second["recipients"][0]["token"]
    # count and startIndex have no effect.
    assert len(site.call("GET", TRANSFER + "?count=1&startIndex=1").json()) == len(found)
    assert site.call("GET", TRANSFER, **EVE).json() == []
    assert message(site.call("GET", TRANSFER + "/@all", **EVE)) == (403, "rest_admin_required")
    assert len(site.call("GET", TRANSFER + "/@all", **ROOT).json()) == len(found)
    assert message(site.call("DELETE", TRANSFER)) == (400, "rest_missing_parameter")


def test_objects_of_another_user(site: wire.Site) -> None:
    transfer = site.send("a", b"abc")
    person, file = person_of(transfer), "/rest.php/file/{}".format(transfer["files"][0]["id"])
    for method, target, body in [
        ("GET", at(transfer), None), ("GET", at(transfer, "options"), None), ("GET", at(transfer, "salt"), None),
        ("GET", at(transfer, "auditlog"), None), ("GET", at(transfer, "auditlog", "mail"), None),
        ("PUT", at(transfer), {"remind": True}), ("PUT", at(transfer), {"closed": True}),
        ("PUT", at(transfer), {"extend_expiry_date": True}), ("DELETE", at(transfer), None),
        ("POST", at(transfer, "recipient"), {"recipient": "c@example.net"}),
        ("GET", person, None), ("PUT", person, {"remind": True}), ("DELETE", person, None),
        ("GET", file, None), ("DELETE", file, None),
    ]:  # fmt: skip
        assert message(site.call(method, target, body, **EVE)) == (403, "rest_ownership_required"), target
    assert site.call("GET", at(transfer), **ROOT).json()["id"] == transfer["id"]


def test_the_audit_log(server: LocalServer, site: wire.Site) -> None:
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
    user, recipient, uploaded = log[0]["author"], log[6]["author"], log[2]["target"]
    assert (user["type"], user["identity"], user["ip"], type(user["id"])) == ("User", "ann@example.org", "", str)
    assert (recipient["type"], recipient["email"]) == ("Recipient", "bob@example.net")
    assert [uploaded[name] for name in ("type", "path", "name", "size")] == ["File", "d/a.txt", "a.txt", 3]
    assert {type(entry["date"]["raw"]) for entry in log} == {int}
    assert site.call("GET", at(transfer, "auditlog", "mail")).body == b"true"
    assert kinds(server, transfer)[-1] == ("ann@example.org", "report")


def test_recipients(server: LocalServer, site: wire.Site) -> None:
    transfer = site.create([("a", 0)])
    early = site.call("POST", at(transfer, "recipient"), {"recipient": "early@example.net"})
    assert early.status == 201
    assert early.headers["Location"].endswith("/rest.php/recipient/{}".format(early.json()["id"]))
    assert kinds(server, transfer) == []
    site.complete(transfer)
    twin = site.call("POST", at(transfer, "recipient"), {"recipient": "bob@example.net"}).json()
    assert kinds(server, transfer)[-1] == ("bob@example.net", "transfer_available")
    assert server.filesender.mails[-1]["token"] == twin["token"]
    shown = site.call("GET", at(transfer)).json()
    assert [p["email"] for p in shown["recipients"]] == ["bob@example.net", "early@example.net", "bob@example.net"]
    assert shown["recipients"][2] == twin == site.call("GET", person_of(shown, 2)).json()
    assert site.call("PUT", person_of(shown, 2), {"remind": True}).json() == twin
    assert kinds(server, transfer)[-1] == ("bob@example.net", "transfer_reminder")
    # The transfer is closed with its last recipient.
    for place in (2, 0, 1):
        assert transfer["id"] in listed(site)
        assert site.call("DELETE", person_of(shown, place)).body == b"null"
        assert message(site.call("GET", person_of(shown, place))) == (500, "recipient_not_found")
    assert transfer["id"] not in listed(site)
    assert message(site.call("POST", at(transfer, "recipient"), {"recipient": "late@example.net"})) == CLOSED


def test_reminders(server: LocalServer, site: wire.Site) -> None:
    transfer, link = site.send("a", b"1"), site.send("b", b"2", options={})
    for one in (transfer, link):
        assert site.call("PUT", at(one), {"remind": True}).json()["id"] == one["id"]
    assert kinds(server, transfer)[-1] == ("bob@example.net", "transfer_reminder")
    assert kinds(server, link) == []


def test_an_extension_by_the_days_of_the_site(server: LocalServer, site: wire.Site) -> None:
    change = {"extend_expiry_date": True}
    with configured(server, expiry_extension_days=5):
        transfer = site.send("a", b"1")
        assert transfer["expiry_date_extension"] == 1
        extended = site.call("PUT", at(transfer), change).json()
        later = int(transfer["expires"]["raw"]) + 5 * 86400
        assert (extended["expires"]["raw"], extended["expiry_date_extension"]) == (str(later), 0)
        assert site.call("GET", at(transfer)).json()["expires"]["raw"] == later
        assert message(site.call("PUT", at(transfer), change)) == NO_EXTENSION


def test_closing(server: LocalServer, site: wire.Site) -> None:
    transfer = site.send("a", b"abc")
    assert site.call("PUT", at(transfer), {"closed": True}).json()["id"] == transfer["id"]
    assert kinds(server, transfer)[-1] == ("bob@example.net", "transfer_closed")
    # It can be read until it is purged; closing and reminding have no effect and send no mail.
    shown = site.call("GET", at(transfer)).json()
    assert (shown["id"], shown["expires"]["raw"] <= time.time()) == (transfer["id"], True)
    assert transfer["id"] not in listed(site)
    person, mailed = person_of(transfer), len(server.filesender.mails)
    for place, change in ((at(transfer), "remind"), (at(transfer), "closed"), (person, "remind")):
        again = site.call("PUT", place, {change: True})
        assert (again.status, "errors" in again.json() or again.json() == shown) == (200, True)
    assert len(server.filesender.mails) == mailed
    assert message(site.call("DELETE", person)) == CLOSED
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


def test_deleting(server: LocalServer, site: wire.Site) -> None:
    transfer = site.send("a", b"abc")
    stored = Path(server.filesender.stored(transfer["files"][0]["id"]))
    assert (stored.exists(), site.call("DELETE", at(transfer)).body, stored.exists()) == (True, b"null", False)
    for method in ("GET", "DELETE"):
        assert message(site.call(method, at(transfer))) == (500, "transfer_not_found")
    # A transfer is closed with its last file.
    two = site.create([("a", 0), ("b", 0)])
    site.complete(two)
    for file in wire.real_files(two):
        assert two["id"] in listed(site)
        assert site.call("DELETE", "/rest.php/file/{}".format(file["id"])).body == b"null"
    assert two["id"] not in listed(site)


def test_terms_of_use(server: LocalServer, site: wire.Site) -> None:
    with configured(server, aup_required=True):
        body = {"from": "ann@example.org", "files": [{"name": "a", "size": 1}], "options": {}}
        for more in ({}, {"aup_checked": False}):
            assert message(site.call("POST", TRANSFER, {**body, **more})) == (400, "rest_bad_parameter")
        transfer = site.call("POST", TRANSFER, {**body, "aup_checked": True}).json()
        # The terms were accepted with the transfer: later changes do not need it.
        assert site.call("POST", at(transfer, "recipient"), {"recipient": "c@example.net"}).status == 201
