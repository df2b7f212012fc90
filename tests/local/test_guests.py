"""Vouchers: creation, the upload page, csrf and security tokens, uploads of guests."""

import re
from typing import Tuple
from urllib.parse import urlencode

import pytest

from smartxfer.local import LocalServer
from smartxfer.local.filesender.sessions import Session
from tests.support.local import bare_client as wire
from tests.support.local.guest import Guest, invite

DATA = b"0123456789" * 1000


def message(reply: wire.Reply) -> Tuple[int, str]:
    return reply.status, reply.json()["message"]


def test_a_guest_uploads(server: LocalServer, site: wire.Site) -> None:
    voucher = invite(site)
    assert server.filesender.mails[0]["kind"] == "guest_created"
    assert server.filesender.mails[0]["url"] == voucher["upload_url"]
    guest = Guest(site, voucher)
    assert guest.body["data-auth-type"] == "guest"
    assert re.fullmatch(r"[0-9a-f]{10}", guest.csrf)
    flags = {cookie.split("=")[0]: cookie for cookie in guest.set_cookies}
    assert "HttpOnly" in flags["PHPSESSID"]
    assert "SameSite=Strict" in flags["PHPSESSID"]
    assert "Secure" in flags["csrfptoken"]
    transfer = guest.create().json()
    assert transfer["user_email"] == "g@example.net"
    assert [person["email"] for person in transfer["recipients"]] == ["ann@example.org"]
    assert transfer["options"] == {
        "add_me_to_recipients": False, "get_a_link": False, "encryption": False
    }  # fmt: skip
    file = transfer["files"][0]
    keys = "?" + urlencode({"key": file["puid"], "roundtriptoken": transfer["roundtriptoken"]})
    place = "/rest.php/file/{}".format(file["id"])
    # With the file's key the security token is not required, but the csrf token is.
    for target, body in ((place + "/chunk/0" + keys, DATA), (place + keys, {"complete": True})):
        assert guest.call("PUT", target, body, X_Filesender_Security_Token=None).status == 200
    done = guest.call("PUT", "/rest.php/transfer/{}".format(transfer["id"]), {"complete": True})
    assert done.status == 200
    assert site.fetch(transfer).body == DATA
    mail = server.filesender.mails[-1]
    assert (mail["to"], mail["kind"]) == ("ann@example.org", "transfer_available")
    of_guest = site.call("GET", "/rest.php/guest/{}/transfers".format(voucher["id"])).json()
    assert list(of_guest) == [str(transfer["id"])]
    assert [t["id"] for t in site.call("GET", "/rest.php/transfer/@me").json()] == [transfer["id"]]
    shown = site.call("GET", "/rest.php/guest/{}".format(voucher["id"])).json()
    assert shown["transfer_count"] == 1


def test_csrf_comes_first_and_then_the_security_token(site: wire.Site) -> None:
    guest = Guest(site, invite(site))
    csrf = (400, "rest_xsrf_token_did_not_match")
    token = (400, "rest_security_token_did_not_match")
    create = ("POST", "/rest.php/transfer", {})
    assert message(guest.call(*create, csrfptoken=None)) == csrf
    assert message(guest.call(*create, csrfptoken="0000000000", Cookie=None)) == csrf
    assert message(guest.call(*create, Cookie="PHPSESSID=unknown")) == csrf
    assert message(guest.call(*create, X_Filesender_Security_Token=None)) == token
    assert message(guest.call(*create, X_Filesender_Security_Token="0" * 32)) == token
    assert guest.create().status == 201


def test_each_accepted_call_sets_the_cookie_twice(site: wire.Site) -> None:
    guest = Guest(site, invite(site))
    cookies = guest.create().headers.get_all("Set-Cookie") or []
    assert len(cookies) == 2
    values = [re.match(r"csrfptoken=([0-9a-f]{10}); path=([^;]+); Secure", c) for c in cookies]
    assert len({value[1] for value in values if value}) == 1
    assert len({value[2] for value in values if value}) == 2


def test_an_older_csrf_token_lives_until_a_newer_one_is_used(site: wire.Site) -> None:
    guest = Guest(site, invite(site))
    first = guest.csrf
    newer = ""
    for _ in range(300):
        reply = guest.call("PUT", "/rest.php/transfer/77777", {"complete": True})
        assert message(reply) == (500, "transfer_not_found")
        newer = str(reply.headers["Set-Cookie"]).split(";")[0].split("=")[1]
    assert guest.create(csrfptoken=first).status == 201
    guest.csrf = newer
    assert guest.create().status == 201
    guest.csrf = first
    assert message(guest.create()) == (400, "rest_xsrf_token_did_not_match")


def test_a_site_without_csrf() -> None:
    with LocalServer(services=["filesender"], filesender={"csrf": False}) as server:
        site = wire.Site(server.filesender)
        guest = Guest(site, invite(site))
        assert guest.csrf == ""
        reply = guest.call(
            "POST",
            "/rest.php/transfer",
            {"files": [{"name": "a", "size": 1}], "options": {}},
            csrfptoken=None,
        )
        assert reply.status == 201
        assert reply.headers.get("Set-Cookie") is None


def test_the_round_trip_token_is_always_wanted_of_guests(site: wire.Site) -> None:
    guest = Guest(site, invite(site))
    transfer = guest.create().json()
    file = transfer["files"][0]
    refused = (403, "rest_roundtrip_token_invalid")
    for wrong in ("", "&roundtriptoken=" + "0" * 32):
        place = "/rest.php/file/{}".format(file["id"])
        keys = "?key=" + file["puid"] + wrong
        assert message(guest.call("PUT", place + "/chunk/0" + keys, DATA)) == refused
        assert message(guest.call("PUT", place + keys, {"complete": True})) == refused


def test_a_voucher_for_one_time(server: LocalServer, site: wire.Site) -> None:
    voucher = invite(site, {"valid_only_one_time": True, "can_only_send_to_me": True})
    guest = Guest(site, voucher)
    transfer = guest.create(files=[{"name": "empty", "size": 0}]).json()
    file = transfer["files"][0]
    keys = "?" + urlencode({"key": file["puid"], "roundtriptoken": transfer["roundtriptoken"]})
    assert guest.call("PUT", "/rest.php/file/{}{}".format(file["id"], keys), {"complete": True})
    done = guest.call("PUT", "/rest.php/transfer/{}".format(transfer["id"]), {"complete": True})
    assert done.status == 200
    assert message(guest.create()) == (500, "guest_expired")
    page = site.bare("GET", "/?s=upload&vid=" + voucher["token"])
    assert page.status == 200
    assert b'class="exception"' in page.body


def test_dead_and_malformed_vouchers(server: LocalServer, site: wire.Site) -> None:
    voucher = invite(site)
    place = "/rest.php/transfer?vid="
    assert message(site.bare("GET", place + "x")) == (500, "token_has_bad_format")
    unknown = "00000000-0000-0000-0000-000000000000"
    assert message(site.bare("GET", place + unknown)) == (500, "guest_not_found")
    assert site.bare("GET", place + voucher["token"]).json() == []
    assert site.call("DELETE", "/rest.php/guest/{}".format(voucher["id"])).json() is None
    assert message(site.bare("GET", place + voucher["token"])) == (500, "guest_expired")
    late = invite(site)
    server.filesender.configure(clock_offset=30 * 86400.0)
    assert message(site.bare("GET", place + late["token"])) == (500, "guest_expired")


def test_a_vid_wins_over_a_signature(site: wire.Site) -> None:
    voucher = invite(site)
    target = "/rest.php/transfer/1?vid=" + voucher["token"]
    reply = site.call("PUT", target, {"complete": True})
    assert message(reply) == (400, "rest_xsrf_token_did_not_match")


def test_guests_keep_to_their_own(site: wire.Site) -> None:
    mine = site.create([("a", 1)])
    guest = Guest(site, invite(site))
    target = "/rest.php/transfer/{}".format(mine["id"])
    assert message(guest.call("DELETE", target)) == (404, "rest_unknown_principal")
    assert message(guest.call("GET", "/rest.php/guest")) == (403, "rest_authentication_required")
    only = guest.create(recipients=["x@example.net"])
    assert message(only) == (500, "transfer_too_many_recipients")


def test_managing_vouchers(server: LocalServer, site: wire.Site) -> None:
    voucher = invite(site, {"valid_only_one_time": False}, subject="hi", message="<b>&amp;")
    place = "/rest.php/guest/{}".format(voucher["id"])
    assert voucher["message"] == "< b>&"
    assert voucher["options"]["guest"]["valid_only_one_time"] is False
    assert isinstance(voucher["expires"]["raw"], str)
    assert isinstance(site.call("GET", place).json()["expires"]["raw"], int)
    assert site.call("PUT", place, {"remind": True}).body == b"true"
    assert server.filesender.mails[-1]["kind"] == "guest_reminder"
    extended = site.call("PUT", place, {"extend_expiry_date": True})
    assert extended.status == 403
    assert site.call("GET", place + "/transfers").json() == []
    bad = site.call("POST", "/rest.php/guest", {"recipient": "unknown"})
    assert message(bad) == (500, "bad_email")
    later = invite(site, expires=4102444800)
    assert int(later["expires"]["raw"]) < 4102444800


def test_a_security_token_is_renewed_and_the_old_one_fades() -> None:
    session = Session(1000.0)
    first = session.security_token
    assert session.renew(1000.0 + 7199) == ""
    second = session.renew(1000.0 + 7200)
    assert second
    assert session.allows(second, 8200.0)
    assert session.allows(first, 8200.0 + 899)
    assert not session.allows(first, 8200.0 + 901)
    assert not session.allows("", 8200.0)


@pytest.mark.parametrize("mode", ["key", "auth"])
def test_a_guest_may_do_without_a_key(mode: str) -> None:
    with LocalServer(services=["filesender"], filesender={"chunk_security": mode}) as server:
        site = wire.Site(server.filesender)
        guest = Guest(site, invite(site))
        transfer = guest.create().json()
        keys = "?roundtriptoken=" + transfer["roundtriptoken"]
        target = "/rest.php/file/{}/chunk/0{}".format(transfer["files"][0]["id"], keys)
        assert guest.call("PUT", target, DATA).status == 200
        lone = guest.call("PUT", target, DATA, X_Filesender_Security_Token=None)
        assert message(lone) == (400, "rest_security_token_did_not_match")
