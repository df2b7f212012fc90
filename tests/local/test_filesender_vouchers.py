"""Vouchers and guests on both releases, without what the client's tests show (FileSender protocol, 10).

Lists, reminders, extensions, deletion and terms of use: tests/filesender/management/test_vouchers.py.
"""

import json
import re
import time
from typing import Any

import pytest

from smartxfer.local import LocalServer
from smartxfer.local.filesender.encryption import blob_size
from smartxfer.local.filesender.sessions import Session
from tests.support.local import bare_client as wire
from tests.support.local.guest import Guest, invite
from tests.support.local.releases import EVE, ROOT, configured, each_release, message

GUEST, CREATE = "/rest.php/guest", "/rest.php/transfer"
DAY = 86400
DATA = b"0123456789" * 100
XSRF, TOKEN = (400, "rest_xsrf_token_did_not_match"), (400, "rest_security_token_did_not_match")

server = each_release()


def at(voucher: Any, *more: str) -> str:
    return "/".join([GUEST, str(voucher["id"]), *more])


def upload_page(site: wire.Site, token: str) -> bytes:
    page = site.bare("GET", "/?s=upload&vid=" + token)
    assert page.status == 200
    return page.body


# Management


def test_creation(server: LocalServer, site: wire.Site) -> None:
    options = {"valid_only_one_time": True, "can_only_send_to_me": True, "email_guest_created": False}
    voucher = invite(site, options, subject="s", message="<b>&amp;", expires=int(time.time()) + 2 * DAY)
    mail = server.filesender.mails[-1]
    assert (mail["kind"], mail["url"]) == ("guest_created", voucher["upload_url"])
    assert (voucher["user_email"], voucher["email"]) == ("ann@example.org", "g@example.net")
    assert (voucher["subject"], voucher["message"], voucher["transfer_count"]) == ("s", "< b>&", 0)
    assert voucher["upload_url"] == "{}/?s=upload&vid={}".format(site.url, voucher["token"])
    assert voucher["options"]["valid_only_one_time"] is True
    # The inviter cannot set this.
    assert voucher["options"]["email_guest_created"] is True
    assert voucher["transfer_options"] == {"add_me_to_recipients": False, "get_a_link": False}
    assert 0 < int(voucher["expires"]["raw"]) - time.time() <= 2 * DAY
    far = invite(site, expires=int(time.time()) + 900 * DAY)
    assert int(far["expires"]["raw"]) - time.time() <= 20 * DAY
    body = {"from": "x", "recipient": "g@example.net"}
    assert message(site.call("POST", GUEST, body)) == (500, "bad_email")


def test_requests_of_one_voucher(site: wire.Site) -> None:
    voucher = invite(site)
    shown = site.call("GET", at(voucher)).json()
    assert (type(voucher["expires"]["raw"]), type(shown["expires"]["raw"])) == (str, int)
    assert {**shown, "expires": 0} == {**voucher, "expires": 0}
    listed = site.call("GET", GUEST).json()
    assert (listed[0], listed) == (shown, site.call("GET", GUEST + "/@me").json())
    assert message(site.call("GET", GUEST + "/@all", **EVE)) == (403, "rest_admin_required")
    assert len(site.call("GET", GUEST + "/@all", **ROOT).json()) >= 1
    assert message(site.call("GET", at(voucher, "nonsense"))) == (400, "rest_bad_parameter")
    assert message(site.bare("GET", GUEST)) == (403, "rest_authentication_required")
    extended = site.call("PUT", at(voucher), {"extend_expiry_date": True}, **ROOT)
    assert message(extended) == (500, "guest_expiry_extension_not_allowed")


def test_a_voucher_without_expiry(server: LocalServer, site: wire.Site) -> None:
    voucher, mortal = invite(site, {"can_only_send_to_me": True, "does_not_expire": True}), invite(site)
    assert voucher["expires"]["raw"] is site.call("GET", at(voucher)).json()["expires"]["raw"] is None
    with configured(server, clock_offset=30.0 * DAY):
        assert Guest(site, voucher).create().status == 201
        assert b"guest_expired" in upload_page(site, mortal["token"])


def test_invalid_vouchers(server: LocalServer, site: wire.Site) -> None:
    voucher, late = invite(site), invite(site)
    place = "/rest.php/transfer?vid="
    assert message(site.bare("GET", place + "x")) == (500, "token_has_bad_format")
    unknown = "00000000-0000-0000-0000-000000000000"
    assert message(site.bare("GET", place + unknown)) == (500, "guest_not_found")
    assert site.bare("GET", place + voucher["token"]).json() == []
    assert b'class="exception"' in upload_page(site, voucher["token"].upper())
    assert site.call("DELETE", at(voucher)).body == b"null"
    assert message(site.bare("GET", place + voucher["token"])) == (500, "guest_expired")
    with configured(server, clock_offset=30.0 * DAY):
        assert message(site.bare("GET", place + late["token"])) == (500, "guest_expired")


# Uploads of guests


def test_a_guest_uploads(server: LocalServer, site: wire.Site) -> None:
    voucher = invite(site)
    guest = Guest(site, voucher)
    assert guest.body["data-auth-type"] == "guest"
    assert re.fullmatch(r"[0-9a-f]{10}", guest.csrf)
    flags = {cookie.split("=")[0]: cookie for cookie in guest.set_cookies}
    assert "HttpOnly" in flags["PHPSESSID"]
    assert "SameSite=Strict" in flags["PHPSESSID"]
    assert "Secure" in flags["csrfptoken"]
    transfer = guest.create(len(DATA)).json()
    assert transfer["user_email"] == "g@example.net"
    assert [person["email"] for person in transfer["recipients"]] == ["ann@example.org"]
    assert transfer["options"] == {"add_me_to_recipients": False, "get_a_link": False, "encryption": False}
    # With the file's key the security token is not required, but the csrf token is.
    for tail, body in (("/chunk/0", DATA), ("", {"complete": True})):
        target = guest.place(transfer, tail)
        assert guest.call("PUT", target, body, X_Filesender_Security_Token=None).status == 200
    assert guest.complete(transfer).status == 200
    assert site.fetch(transfer).body == DATA
    mail = server.filesender.mails[-1]
    assert (mail["to"], mail["kind"]) == ("ann@example.org", "transfer_available")
    author = site.call("GET", "{}/{}/auditlog".format(CREATE, transfer["id"])).json()[0]["author"]
    assert (author["type"], author["identity"]) == ("Guest", "g@example.net")


def test_the_csrf_token_is_checked_before_the_security_token(site: wire.Site) -> None:
    guest = Guest(site, invite(site))
    for changes, refused in (
        ({"csrfptoken": None}, XSRF), ({"csrfptoken": "0000000000", "Cookie": None}, XSRF),
        ({"Cookie": "PHPSESSID=unknown"}, XSRF), ({"X_Filesender_Security_Token": None}, TOKEN),
        ({"X_Filesender_Security_Token": "0" * 32}, TOKEN),
    ):  # fmt: skip
        assert message(guest.call("POST", CREATE, {}, **changes)) == refused
    assert guest.create().status == 201
    # The voucher in the query replaces a signature.
    assert message(site.call("PUT", CREATE + "/1?vid=" + guest.vid, {"complete": True})) == XSRF


def test_each_accepted_call_sets_the_cookie_twice(site: wire.Site) -> None:
    cookies = Guest(site, invite(site)).create().headers.get_all("Set-Cookie") or []
    assert len(cookies) == 2
    values = [re.match(r"csrfptoken=([0-9a-f]{10}); path=([^;]+); Secure", c) for c in cookies]
    assert len({value[1] for value in values if value}) == 1
    assert len({value[2] for value in values if value}) == 2


def test_an_older_csrf_token_lives_until_a_newer_one_is_used(site: wire.Site) -> None:
    guest = Guest(site, invite(site))
    first, newer = guest.csrf, ""
    for _ in range(300):
        reply = guest.call("PUT", CREATE + "/77777", {"complete": True})
        assert message(reply) == (500, "transfer_not_found")
        newer = str(reply.headers["Set-Cookie"]).split(";")[0].split("=")[1]
    assert guest.create(csrfptoken=first).status == 201
    guest.csrf = newer
    assert guest.create().status == 201
    guest.csrf = first
    assert message(guest.create()) == XSRF


def test_a_site_without_csrf(server: LocalServer, site: wire.Site) -> None:
    with configured(server, csrf=False):
        guest = Guest(site, invite(site))
        body = {"files": [{"name": "a", "size": 1}], "options": {}}
        reply = guest.call("POST", CREATE, body, csrfptoken=None)
        assert (guest.csrf, reply.status, reply.headers.get("Set-Cookie")) == ("", 201, None)


def test_the_round_trip_token_is_always_required_of_guests(site: wire.Site) -> None:
    guest = Guest(site, invite(site))
    transfer = guest.create(len(DATA)).json()
    for wrong in ({}, {"roundtriptoken": "0" * 32}):
        for tail, body in (("/chunk/0", DATA), ("", {"complete": True})):
            target = guest.place({**transfer, "roundtriptoken": "", **wrong}, tail)
            assert message(guest.call("PUT", target, body)) == (403, "rest_roundtrip_token_invalid")


@pytest.mark.parametrize("mode", ["key", "auth"])
def test_a_guest_may_do_without_a_key(server: LocalServer, site: wire.Site, mode: str) -> None:
    with configured(server, chunk_security=mode):
        guest = Guest(site, invite(site))
        transfer = guest.create(len(DATA)).json()
        keys = "?roundtriptoken=" + transfer["roundtriptoken"]
        target = "/rest.php/file/{}/chunk/0{}".format(transfer["files"][0]["id"], keys)
        assert guest.call("PUT", target, DATA).status == 200
        assert message(guest.call("PUT", target, DATA, X_Filesender_Security_Token=None)) == TOKEN


def test_a_voucher_for_one_time(site: wire.Site) -> None:
    voucher = invite(site, {"valid_only_one_time": True, "can_only_send_to_me": True})
    guest = Guest(site, voucher)
    guest.send(b"x")
    assert message(guest.create()) == (500, "guest_expired")
    assert b'class="exception"' in upload_page(site, voucher["token"])


def test_guests_are_limited_to_their_own(site: wire.Site) -> None:
    target = "/rest.php/transfer/{}".format(site.create([("a", 1)])["id"])
    guest = Guest(site, invite(site))
    assert message(guest.call("DELETE", target)) == (404, "rest_unknown_principal")
    assert message(guest.call("GET", GUEST)) == (403, "rest_authentication_required")
    assert message(guest.create(recipients=["x@example.net"])) == (500, "transfer_too_many_recipients")


def test_encrypted_transfers(server: LocalServer, site: wire.Site) -> None:
    blob, guest = b"x" * blob_size(10, 3), Guest(site, invite(site))
    fields = {"encryption": True, "encryption_key_version": 3, "encryption_password_hash_iterations": 1000}
    with configured(server, encryption_mandatory=True):
        assert message(guest.create()) == (500, "transfer_must_be_encrypted")
        transfer = guest.send(blob, size=10, **fields)
    assert transfer["options"]["encryption"] is True
    assert site.fetch(transfer, {"Range": f"bytes=0-{len(blob) - 1}"}).body == blob


def test_a_voucher_of_the_web_form_without_recipients(site: wire.Site) -> None:
    """The form sends every option: get_a_link is off, and the completion fails after all bytes were sent."""
    options = {"guest": {"valid_only_one_time": False}, "transfer": {"get_a_link": False}}
    guest = Guest(site, invite(site, options=options))
    transfer = guest.create(3).json()
    assert (transfer["options"]["get_a_link"], transfer["recipients"]) == (False, [])
    assert guest.call("PUT", guest.place(transfer, "/chunk/0"), b"abc").status == 200
    assert guest.call("PUT", guest.place(transfer), {"complete": True}).body == b"true"
    assert message(guest.complete(transfer)) == (500, "transfer_no_recipients")


# Security tokens


def test_a_security_token_is_renewed_and_the_old_one_fades() -> None:
    session = Session(1000.0)
    first = session.security_token
    assert session.renew(1000.0 + 7199) == ""
    second = session.renew(1000.0 + 7200)
    assert second
    uses = [(second, 8200.0), (first, 8200.0 + 899), (first, 8200.0 + 901), ("", 8200.0)]
    assert [session.allows(token, moment) for token, moment in uses] == [True, True, False, False]


def test_the_security_token_is_renewed_in_any_call(server: LocalServer, site: wire.Site) -> None:
    guest = Guest(site, invite(site))
    transfer = guest.create(3).json()
    place, target = guest.place(transfer, "/chunk/0"), "/rest.php/transfer/{}".format(transfer["id"])
    old, name = guest.body["data-security-token"], "X-Filesender-Security-Token"
    assert guest.call("PUT", place, b"abc").headers.get(name) is None
    with configured(server, clock_offset=7201.0):
        # A chunk with its file's key needs no security token, but returns a new one.
        new = guest.call("PUT", place, b"abc").headers[name]
        assert (new != old, len(new)) == (True, len(old))
        complete = json.dumps({"complete": True}).encode()
        server.filesender.configure(clock_offset=7200.0 + 890)
        assert message(guest.call("PUT", target, complete))[1] == "transfer_files_incomplete"
        server.filesender.configure(clock_offset=7200.0 + 910)
        assert message(guest.call("PUT", target, complete)) == TOKEN
        guest.body["data-security-token"] = new
        assert message(guest.call("PUT", target, complete))[1] == "transfer_files_incomplete"
