"""Vouchers on both releases: create, list, get, remind, extend, delete, use (FileSender protocol, section 10)."""

import time
from typing import Any, Dict, Iterator
from urllib.parse import urlencode

import pytest

from smartxfer.local import LocalServer
from smartxfer.local.filesender.encryption import blob_size
from tests.support.local import bare_client as wire
from tests.support.local.guest import Guest, invite
from tests.support.local.releases import EVE, RELEASES, ROOT, configured, message, running

GUEST = "/rest.php/guest"
DAY = 86400


@pytest.fixture(scope="module", params=RELEASES)
def server(request: pytest.FixtureRequest) -> Iterator[LocalServer]:
    with running(request.param) as started:
        yield started


def at(voucher: Any, *more: str) -> str:
    return "/".join([GUEST, str(voucher["id"]), *more])


def send(guest: Guest, body: bytes, **more: Any) -> Any:
    """Send a transfer of a guest with one file and one chunk."""
    size = more.pop("size", len(body))
    transfer = guest.create(files=[{"name": "g.bin", "size": size}], **more).json()
    file = transfer["files"][0]
    keys = "?" + urlencode({"key": file["puid"], "roundtriptoken": transfer["roundtriptoken"]})
    place = "/rest.php/file/{}".format(file["id"])
    sizes: Dict[str, str] = {"X_Filesender_Chunk_Size": str(size)}
    if transfer["options"]["encryption"]:
        sizes.update(X_Filesender_Encrypted="1", X_Filesender_Chunk_Size_Encrypted=str(len(body)))
    assert guest.call("PUT", place + "/chunk/0" + keys, body, **sizes).status == 200
    assert guest.call("PUT", place + keys, {"complete": True}).body == b"true"
    done = guest.call("PUT", "/rest.php/transfer/{}".format(transfer["id"]), {"complete": True})
    assert done.status == 200
    return transfer


def test_creation(server: LocalServer, site: wire.Site) -> None:
    options = {"valid_only_one_time": True, "can_only_send_to_me": True, "email_guest_created": False}
    voucher = invite(site, options, subject="s", message="m", expires=int(time.time()) + 2 * DAY)
    assert server.filesender.mails[-1]["kind"] == "guest_created"
    assert (voucher["user_email"], voucher["email"]) == ("ann@example.org", "g@example.net")
    assert (voucher["subject"], voucher["message"], voucher["transfer_count"]) == ("s", "m", 0)
    assert voucher["upload_url"] == "{}/?s=upload&vid={}".format(site.url, voucher["token"])
    assert voucher["options"]["valid_only_one_time"] is True
    # The inviter cannot set this.
    assert voucher["options"]["email_guest_created"] is True
    assert voucher["transfer_options"] == {"add_me_to_recipients": False, "get_a_link": False}
    assert 0 < int(voucher["expires"]["raw"]) - time.time() <= 2 * DAY
    assert isinstance(voucher["expires"]["raw"], str)
    far = invite(site, expires=int(time.time()) + 900 * DAY)
    assert int(far["expires"]["raw"]) - time.time() <= 20 * DAY
    for wrong in ({"recipient": "x"}, {"recipient": None}, {"from": "x"}):
        body = {"from": "ann@example.org", "recipient": "g@example.net", **wrong}
        assert message(site.call("POST", GUEST, body)) == (500, "bad_email")


def test_lists_and_one(server: LocalServer, site: wire.Site) -> None:
    first, second = invite(site), invite(site)
    shown = site.call("GET", at(first)).json()
    assert isinstance(shown["expires"]["raw"], int)
    assert {**shown, "expires": 0} == {**first, "expires": 0}
    for word in ("", "/@me"):
        listed = site.call("GET", GUEST + word).json()
        assert [voucher["id"] for voucher in listed][:2] == [second["id"], first["id"]]
    assert listed[1] == shown
    assert site.call("GET", GUEST, **EVE).json() == []
    assert message(site.call("GET", GUEST + "/@all", **EVE)) == (403, "rest_admin_required")
    assert len(site.call("GET", GUEST + "/@all", **ROOT).json()) >= 2
    assert message(site.call("GET", GUEST + "/99999")) == (500, "guest_not_found")
    assert message(site.call("GET", at(first, "nonsense"))) == (400, "rest_bad_parameter")
    assert message(site.bare("GET", GUEST)) == (403, "rest_authentication_required")


def test_objects_of_another_user(site: wire.Site) -> None:
    voucher = invite(site)
    for method, target, body in (
        ("GET", at(voucher), None),
        ("GET", at(voucher, "transfers"), None),
        ("PUT", at(voucher), {"remind": True}),
        ("PUT", at(voucher), {"extend_expiry_date": True}),
        ("DELETE", at(voucher), None),
    ):
        assert message(site.call(method, target, body, **EVE)) == (403, "rest_ownership_required")


def test_reminding(server: LocalServer, site: wire.Site) -> None:
    voucher = invite(site)
    assert site.call("PUT", at(voucher), {"remind": True}).body == b"true"
    mail = server.filesender.mails[-1]
    assert (mail["to"], mail["kind"], mail["url"]) == (
        "g@example.net", "guest_reminder", voucher["upload_url"]
    )  # fmt: skip


def test_extending(server: LocalServer, site: wire.Site) -> None:
    stock = invite(site)
    assert stock["expiry_date_extension"] == 0
    change = {"extend_expiry_date": True}
    assert message(site.call("PUT", at(stock), change)) == (403, "rest_admin_required")
    assert message(site.call("PUT", at(stock), change, **ROOT)) == (
        500,
        "guest_expiry_extension_not_allowed",
    )
    with configured(server, guest_extension_days=7):
        voucher = invite(site)
        assert voucher["expiry_date_extension"] == 1
        later = int(voucher["expires"]["raw"]) + 7 * DAY
        extended = site.call("PUT", at(voucher), change).json()
        assert (extended["expires"]["raw"], extended["expiry_date_extension"]) == (str(later), 0)
        assert site.call("GET", at(voucher)).json()["expires"]["raw"] == later
        again = site.call("PUT", at(voucher), change)
        assert message(again) == (500, "guest_expiry_extension_not_allowed")


def test_deleting(site: wire.Site) -> None:
    voucher = invite(site)
    assert site.call("DELETE", at(voucher)).body == b"null"
    assert voucher["id"] not in [other["id"] for other in site.call("GET", GUEST).json()]
    page = site.bare("GET", "/?s=upload&vid=" + voucher["token"])
    assert (page.status, b'class="exception"' in page.body) == (200, True)


def test_transfers_of_a_guest(site: wire.Site) -> None:
    voucher = invite(site)
    assert site.call("GET", at(voucher, "transfers")).json() == []
    guest = Guest(site, voucher)
    guest.create()
    transfer = send(guest, b"0123456789")
    found = site.call("GET", at(voucher, "transfers")).json()
    assert list(found) == [str(transfer["id"])]
    assert found[str(transfer["id"])]["user_email"] == "g@example.net"
    assert site.call("GET", at(voucher)).json()["transfer_count"] == 1
    # They belong to the inviter.
    assert transfer["id"] in [t["id"] for t in site.call("GET", "/rest.php/transfer").json()]
    log = site.call("GET", "/rest.php/transfer/{}/auditlog".format(transfer["id"])).json()
    assert (log[0]["author"]["type"], log[0]["author"]["identity"]) == ("Guest", "g@example.net")
    assert site.fetch(transfer).body == b"0123456789"


def test_an_encrypted_transfer_of_a_guest(server: LocalServer, site: wire.Site) -> None:
    blob = b"x" * blob_size(10, 3)
    fields = {"encryption": True, "encryption_key_version": 3, "encryption_password_hash_iterations": 1000}
    with configured(server, encryption_mandatory=True):
        guest = Guest(site, invite(site))
        assert message(guest.create()) == (500, "transfer_must_be_encrypted")
        transfer = send(guest, blob, size=10, **fields)
    assert transfer["options"]["encryption"] is True
    assert site.fetch(transfer, {"Range": f"bytes=0-{len(blob) - 1}"}).body == blob


def test_terms_of_use_for_guests(server: LocalServer, site: wire.Site) -> None:
    guest = Guest(site, invite(site))
    with configured(server, aup_required=True):
        assert message(guest.create()) == (400, "rest_bad_parameter")
        assert guest.create(aup_checked=True).status == 201


def test_a_voucher_for_ever(server: LocalServer, site: wire.Site) -> None:
    for_ever = {"can_only_send_to_me": True, "does_not_expire": True}
    voucher, mortal = invite(site, for_ever), invite(site)
    assert voucher["expires"]["raw"] is None
    assert site.call("GET", at(voucher)).json()["expires"]["raw"] is None
    with configured(server, clock_offset=30.0 * DAY):
        assert Guest(site, voucher).create().status == 201
        page = site.bare("GET", "/?s=upload&vid=" + mortal["token"])
        assert b"guest_expired" in page.body
