"""Management of transfers on both releases, without what the client's tests show (FileSender protocol, 7).

Lists, reminders, extensions, recipients, other users: tests/filesender/management/test_managing.py.
"""

import http.client
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire
from tests.support.local.releases import EVE, configured, each_release, message

TRANSFER = "/rest.php/transfer"

server = each_release()


def at(transfer: Any, *more: str) -> str:
    return "/".join([TRANSFER, str(transfer["id"]), *more])


def listed(site: wire.Site) -> List[int]:
    return [transfer["id"] for transfer in site.call("GET", TRANSFER).json()]


def test_lists_and_single_objects(site: wire.Site) -> None:
    transfer = site.send("a", b"1")
    found = site.call("GET", TRANSFER).json()
    assert found[0] == site.call("GET", at(transfer)).json()
    # count and startIndex have no effect.
    for more in ("/@me", "?count=1&startIndex=1"):
        assert site.call("GET", TRANSFER + more).json() == found
    file = "/rest.php/file/{}".format(transfer["files"][0]["id"])
    for method, target in (("GET", at(transfer, "salt")), ("GET", file), ("DELETE", file)):
        assert message(site.call(method, target, **EVE)) == (403, "rest_ownership_required"), target
    assert message(site.call("DELETE", TRANSFER)) == (400, "rest_missing_parameter")


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
    user, recipient, uploaded = log[0]["author"], log[6]["author"], log[2]["target"]
    assert [user[name] for name in ("type", "identity", "ip")] == ["User", "ann@example.org", ""]
    assert isinstance(user["id"], str)
    assert (recipient["type"], recipient["email"]) == ("Recipient", "bob@example.net")
    assert [uploaded[name] for name in ("type", "path", "name", "size")] == ["File", "d/a.txt", "a.txt", 3]


def test_a_recipient_gets_no_mail_before_the_completion(server: LocalServer, site: wire.Site) -> None:
    transfer, mailed = site.create([("a", 0)]), len(server.filesender.mails)
    early = site.call("POST", at(transfer, "recipient"), {"recipient": "early@example.net"})
    assert (early.status, len(server.filesender.mails)) == (201, mailed)
    assert early.headers["Location"].endswith("/rest.php/recipient/{}".format(early.json()["id"]))
    site.complete(transfer)
    mailed_to = [mail["to"] for mail in server.filesender.mails[mailed:]]
    assert mailed_to == ["bob@example.net", "early@example.net"]


def test_closing(site: wire.Site) -> None:
    transfer = site.send("a", b"abc")
    assert site.call("PUT", at(transfer), {"closed": True}).json()["id"] == transfer["id"]
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
    assert stored.exists()
    assert (site.call("DELETE", at(transfer)).body, stored.exists()) == (b"null", False)
    # A transfer is closed with its last file.
    two = site.create([("a", 0), ("b", 0)])
    site.complete(two)
    for file in wire.real_files(two):
        assert two["id"] in listed(site)
        assert site.call("DELETE", "/rest.php/file/{}".format(file["id"])).body == b"null"
    assert two["id"] not in listed(site)


def test_terms_of_use(server: LocalServer, site: wire.Site) -> None:
    body = {"from": "ann@example.org", "files": [{"name": "a", "size": 1}], "options": {}}
    with configured(server, aup_required=True):
        refused = site.call("POST", TRANSFER, {**body, "aup_checked": False})
        assert message(refused) == (400, "rest_bad_parameter")
        transfer = site.call("POST", TRANSFER, {**body, "aup_checked": True}).json()
        # The terms were accepted with the transfer: later changes do not need it.
        assert site.call("POST", at(transfer, "recipient"), {"recipient": "c@example.net"}).status == 201
