"""Unexpected responses of real sites (FileSender protocol, section 15)."""

import hashlib
import http.client
import json
import os
import time
from typing import Any, Dict, Iterator, Tuple
from urllib.parse import urlencode, urlsplit

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire
from tests.support.local.guest import Guest, invite
from tests.support.local.releases import RELEASES, configured, message, running

CREATE = "/rest.php/transfer"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module", params=RELEASES)
def server(request: pytest.FixtureRequest) -> Iterator[LocalServer]:
    with running(request.param) as started:
        yield started


@pytest.fixture
def site(server: LocalServer) -> wire.Site:
    return wire.Site(server.filesender)


def body(**more: Any) -> Dict[str, Any]:
    files = [{"name": "a.txt", "size": 3}]
    return {"from": "ann@example.org", "files": files, "recipients": [], "options": {}, **more}


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


def at(transfer: Any) -> str:
    return "{}/{}".format(CREATE, transfer["id"])


# Names and fields of a new transfer


def test_the_published_rule_has_no_end(site: wire.Site) -> None:
    script = site.bare("GET", "/filesender-config.js.php").body.decode()
    rule = r"^[ \\/\\p{L}\\p{N}_\\.,;:!@#$%^&*)(\\]\\[_-]+"
    assert f"valid_filename_regex: '{rule}'," in script


def test_a_line_break_at_the_end_of_a_name_is_lost(site: wire.Site) -> None:
    [file] = site.create([("a.txt\n", 3)])["files"]
    assert file["name"] == "a.txt"


def test_entities_in_a_name_are_decoded(site: wire.Site) -> None:
    [file] = site.create([("a&amp;b", 3)])["files"]
    assert file["name"] == "a&b"


@pytest.mark.parametrize("wrong", ["files", "recipients"])
@pytest.mark.parametrize("value", ["x", None])
def test_what_php_dies_of(site: wire.Site, wrong: str, value: Any) -> None:
    given = body(**{wrong: value})
    if value is None:
        given["files"] = None
    reply = site.call("POST", CREATE, given)
    assert (reply.status, reply.body, reply.headers["Content-Type"]) == (500, b"", "text/html; charset=UTF-8")


@pytest.mark.parametrize(
    ("more", "status", "expected"),
    [
        ({"files": [{"size": 5}]}, 500, "transfer_file_name_invalid"),
        ({"files": [{"name": "a", "size": -1}]}, 500, "database_access_failure"),
        ({"files": [{"name": "a", "size": 5.5}]}, 500, "database_access_failure"),
        ({"encryption": True, "encryption_key_version": 9}, 400, "rest_bad_parameter"),
    ],
)
def test_what_leaves_an_orphan(
    server: LocalServer, site: wire.Site, more: Any, status: int, expected: str
) -> None:
    before = len(server.filesender.transfers())
    assert message(site.call("POST", CREATE, body(**more))) == (status, expected)
    orphans = server.filesender.transfers()[before:]
    assert [(row["status"], row["files"]) for row in orphans] == [("created", [])]


def test_a_date_as_text_gives_the_default(site: wire.Site) -> None:
    for given in ("2030-01-01", "junk", ""):
        made = site.call("POST", CREATE, body(expires=given)).json()
        assert abs(int(made["expires"]["raw"]) - time.time() - 10 * 86400) < 60


def test_fields_of_other_types(site: wire.Site) -> None:
    made = site.call("POST", CREATE, body(subject=5, files=[{"name": "a"}])).json()
    assert (made["subject"], made["files"][0]["size"]) == ("5", 0)


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("a+b@example.net", True), ("a.b@example.net", True), ("\u00fc@example.net", False),
        ("a.@example.net", False), (".a@example.net", False), ("a..b@example.net", False),
        ("a@-example.net", False), ("a@example", False), ("a@b@example.net", False),
        ("x" * 65 + "@example.net", False),
    ],
)  # fmt: skip
def test_one_malformed_address_drops_all(site: wire.Site, address: str, taken: bool) -> None:
    options = {"get_a_link": False}
    given = body(recipients=["bob@example.net", address, "bob@example.net"], options=options)
    reply = site.call("POST", CREATE, given)
    if taken:
        assert [row["email"] for row in reply.json()["recipients"]] == ["bob@example.net", address]
    else:
        assert message(reply) == (500, "transfer_no_recipients")


# Chunks


def test_a_signed_body_of_0_is_signed_as_none(site: wire.Site) -> None:
    transfer = site.create([("a", 2)])
    target = "/rest.php/file/{}/chunk/0".format(wire.real_files(transfer)[0]["id"])
    headers = {"Content-Type": "application/octet-stream"}
    as_sent = site.bare("PUT", site.signed("PUT", target, b"0"), b"0", headers)
    assert message(as_sent) == (500, "auth_remote_signature_check_failed")
    assert site.bare("PUT", site.signed("PUT", target), b"0", headers).json()["written"] == 1
    for other in (b"00", b"1", b"01"):
        assert site.bare("PUT", site.signed("PUT", target, other), other, headers).status == 200


def test_a_3x_reads_what_the_size_header_announces(server: LocalServer, site: wire.Site) -> None:
    transfer = site.create([("a", 5)])
    [file] = wire.real_files(transfer)
    reply = site.chunk(transfer, file, 0, b"hello", X_Filesender_Chunk_Size="4")
    if server.filesender.backend.site.is_2x:
        assert message(reply) == (400, "rest_sanity_check_failed")
        return
    assert reply.json() == {"offset": 0, "written": 4}
    with open(server.filesender.stored(file["id"]), "rb") as stream:
        assert stream.read() == b"hell"


def test_digests_of_chunks(server: LocalServer, site: wire.Site) -> None:
    transfer = site.create([("a", 5)])
    [file] = wire.real_files(transfer)
    right = hashlib.sha256(b"hello").hexdigest()
    with configured(server, chunk_digests=True):
        bare = site.chunk(transfer, file, 0, b"hello")
        wrong = site.chunk(transfer, file, 0, b"hello", X_Filesender_Digest_SHA256="0" * 64)
        if server.filesender.backend.site.is_2x:
            assert (bare.status, wrong.status) == (200, 200)
        else:
            assert message(bare) == message(wrong) == (500, "checksum validation failed")
            assert server.filesender.transfers()[-1]["files"][0]["stored"] == 0
        assert site.chunk(transfer, file, 0, b"hello", X_Filesender_Digest_SHA256=right).status == 200
        target = "/rest.php/file/{}/chunk/0".format(file["id"])
        signed = site.signed("PUT", target, b"hello")
        assert site.bare("PUT", signed, b"hello", {"X-Filesender-Digest-SHA256": right}).status == 200
        site.complete(transfer)
    assert site.fetch(transfer).body == b"hello"


def test_an_upload_ends_in_the_log_also_where_it_does_not(site: wire.Site) -> None:
    transfer = site.create([("a", 3)])
    assert message(site.call("PUT", at(transfer), {"complete": True})) == (500, "transfer_files_incomplete")
    site.chunk(transfer, wire.real_files(transfer)[0], 0, b"abc")
    site.complete(transfer)
    log = site.call("GET", at(transfer) + "/auditlog").json()
    assert [(entry["event"], entry["author"]["type"]) for entry in log] == [
        ("transfer_started", "User"), ("upload_ended", "User"), ("upload_started", None),
        ("file_uploaded", "User"), ("upload_ended", "User"), ("transfer_available", "User"),
        ("transfer_sent", "User"),
    ]  # fmt: skip


# Downloads and pages


@pytest.mark.parametrize(("kind", "status"), [("zip", 500), ("rar", 500), ("tar", 200)])
def test_archives_with_an_empty_file_break_off(site: wire.Site, kind: str, status: int) -> None:
    transfer = site.create([("a", 3), ("empty", 0), ("b", 3)])
    for file in wire.real_files(transfer):
        if file["name"] != "empty":
            site.chunk(transfer, file, 0, b"abc")
    site.complete(transfer)
    found = broken_off(site, wire.download_target(transfer, archive_format=kind))
    assert (found[0], len(found[2]) < found[1]) == (status, True)
    # Content-Length of a real 3.8 and 2.67: per file 120 and twice its name, or a header of 512.
    zipped = 3 * 120 + 2 * len("aemptyb") + 6 + 22
    assert found[1] == (zipped if kind != "tar" else 3 * 512 + 2 * 512 + 1024)


def test_a_stored_file_that_is_missing(server: LocalServer, site: wire.Site) -> None:
    transfer = site.send("a", b"hello")
    os.unlink(server.filesender.stored(wire.real_files(transfer)[0]["id"]))
    target = wire.download_target(transfer)
    assert broken_off(site, target) == (500, 5, b"")
    assert broken_off(site, target, Range="bytes=1-3") == (500, 3, b"")


def test_tokens_are_compared_as_written(site: wire.Site) -> None:
    transfer = site.send("a", b"hello")
    token = transfer["recipients"][0]["token"].upper()
    page = site.bare("GET", "/?s=download&token=" + token)
    assert (page.status, b'class="exception"' in page.body) == (200, True)
    assert site.bare("GET", wire.download_target(transfer, token=token)).status == 500
    voucher = invite(site)
    page = site.bare("GET", "/?s=upload&vid=" + voucher["token"].upper())
    assert b'class="exception"' in page.body


@pytest.mark.parametrize("query", ["s=upload&vid=" + UNKNOWN, "s=upload&vid=x", "s=download&token=" + UNKNOWN])
def test_an_exception_page_has_a_security_token(site: wire.Site, query: str) -> None:
    page = site.bare("GET", "/?" + query)
    assert page.status == 200
    assert b'class="exception"' in page.body
    assert b'data-security-token="' in page.body
    assert b'data-auth-type=""' in page.body


def test_maintenance(server: LocalServer, site: wire.Site) -> None:
    transfer = site.send("a", b"hello")
    with configured(server, maintenance=True):
        reply = site.call("GET", at(transfer))
        assert message(reply) == (503, "undergoing_maintenance")
        page = site.bare("GET", "/?s=download&token=" + transfer["recipients"][0]["token"])
        assert (page.status, b"undergoing maintenance" in page.body) == (200, True)
        assert b'class="file"' not in page.body
        assert b'class="exception"' not in page.body
    assert site.call("GET", at(transfer)).status == 200


def test_a_database_that_is_down(server: LocalServer, site: wire.Site) -> None:
    transfer = site.create([("a", 5)])
    with configured(server, database_down=True):
        reply = site.chunk(transfer, wire.real_files(transfer)[0], 0, b"hello")
        assert message(reply) == (500, "failed_to_connect_to_database")
        assert site.bare("GET", wire.download_target(transfer)).status == 500
    assert site.chunk(transfer, wire.real_files(transfer)[0], 0, b"hello").status == 200


def test_limits_of_a_day(server: LocalServer, site: wire.Site) -> None:
    transfer = site.send("a", b"hello")
    with configured(server, max_reminders_per_day=1, max_guests_per_day=0):
        assert site.call("PUT", at(transfer), {"remind": True}).status == 200
        assert message(site.call("PUT", at(transfer), {"remind": True})) == (500, "rate_limit_exceeded")
        given = {"from": "ann@example.org", "recipient": "g@example.net", "options": {}}
        assert message(site.call("POST", "/rest.php/guest", given)) == (500, "rate_limit_exceeded")
        server.filesender.configure(clock_offset=86401.0)
        later = site.signed("PUT", at(transfer), b'{"remind": true}', stamp=int(time.time()) + 86401)
        assert site.bare("PUT", later, b'{"remind": true}').status == 200
        server.filesender.configure(clock_offset=0.0)


def test_a_mail_server_that_fails_at_the_completion(server: LocalServer, site: wire.Site) -> None:
    transfer = site.create([("a", 5)])
    [file] = wire.real_files(transfer)
    site.chunk(transfer, file, 0, b"hello")
    site.call("PUT", "/rest.php/file/{}".format(file["id"]), {"complete": True})
    mailed = len(server.filesender.mails)
    with configured(server, mail_fails=True):
        assert site.call("PUT", at(transfer), {"complete": True}).status == 500
    assert site.call("PUT", at(transfer), {"complete": True}).status == 200
    assert server.filesender.transfers()[-1]["status"] == "available"
    events = [entry["event"] for entry in site.call("GET", at(transfer) + "/auditlog").json()]
    assert (events[-1], len(server.filesender.mails)) == ("transfer_available", mailed)
    assert site.call("PUT", at(transfer), {"remind": True}).status == 200
    assert server.filesender.mails[-1]["kind"] == "transfer_reminder"


# Guests


def test_a_voucher_of_the_web_form_without_recipients(site: wire.Site) -> None:
    """The form sends every option: get_a_link is off, and the completion fails after all bytes were sent."""
    options = {"guest": {"valid_only_one_time": False}, "transfer": {"get_a_link": False}}
    guest = Guest(site, invite(site, options=options))
    made = guest.create(3)
    assert made.status == 201
    transfer = made.json()
    assert (transfer["options"]["get_a_link"], transfer["recipients"]) == (False, [])
    [file] = wire.real_files(transfer)
    query = "?" + urlencode({"key": file["puid"], "roundtriptoken": transfer["roundtriptoken"]})
    place = "/rest.php/file/{}".format(file["id"])
    assert guest.call("PUT", place + "/chunk/0" + query, b"abc").status == 200
    assert guest.call("PUT", place + query, {"complete": True}).body == b"true"
    end = guest.call("PUT", at(transfer), {"complete": True})
    assert message(end) == (500, "transfer_no_recipients")


def test_the_security_token_is_renewed_in_any_call(server: LocalServer, site: wire.Site) -> None:
    guest = Guest(site, invite(site))
    transfer = guest.create(3).json()
    [file] = wire.real_files(transfer)
    query = "?" + urlencode({"key": file["puid"], "roundtriptoken": transfer["roundtriptoken"]})
    place = "/rest.php/file/{}/chunk/0{}".format(file["id"], query)
    old = guest.body["data-security-token"]
    name = "X-Filesender-Security-Token"
    assert guest.call("PUT", place, b"abc").headers.get(name) is None
    with configured(server, clock_offset=7201.0):
        # A chunk with its file's key needs no security token, but returns a new one.
        new = guest.call("PUT", place, b"abc").headers[name]
        assert (new != old, len(new)) == (True, len(old))
        complete = json.dumps({"complete": True}).encode()
        server.filesender.configure(clock_offset=7200.0 + 890)
        assert message(guest.call("PUT", at(transfer), complete))[1] == "transfer_files_incomplete"
        server.filesender.configure(clock_offset=7200.0 + 910)
        late = guest.call("PUT", at(transfer), complete)
        assert message(late) == (400, "rest_security_token_did_not_match")
        guest.body["data-security-token"] = new
        assert message(guest.call("PUT", at(transfer), complete))[1] == "transfer_files_incomplete"
