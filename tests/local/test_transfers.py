"""Transfers: creation, chunks, completion, management."""

import http.client
import time
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire

DATA = bytes(place % 251 for place in range(2500))
CREATE = "/rest.php/transfer"
MANY_PEOPLE = [f"r{number}@example.net" for number in range(51)]
MANY_FILES = [{"name": f"f{number}", "size": 1} for number in range(31)]
HOSTILE = (
    "/etc/x", "a\\..\\b", "C:\\x", "x" * 300, "nul\0", "a\r\nb: c", 'q"', "e\u0301"
)  # fmt: skip


def message(reply: wire.Reply) -> Tuple[int, str]:
    return reply.status, reply.json()["message"]


def body(**more: Any) -> Dict[str, Any]:
    given: Dict[str, Any] = {
        "from": "ann@example.org",
        "files": [{"name": "a.txt", "size": 3}],
        "recipients": ["bob@example.net"],
        "options": {"get_a_link": False},
    }
    given.update(more)
    return {key: value for key, value in given.items() if value is not None}


def test_a_link_is_the_default_and_drops_recipients(server: LocalServer, site: wire.Site) -> None:
    for options in ({}, [], ["email_download_complete"], {"get_a_link": True}):
        transfer = site.call("POST", CREATE, body(options=options)).json()
        assert transfer["options"]["get_a_link"] is True
        assert [person["email"] for person in transfer["recipients"]] == [""]
    site.send("a", b"", options={})
    assert server.filesender.mails == []


def test_strings_right_after_create(site: wire.Site) -> None:
    transfer = site.create([("a.txt", 3)])
    assert (transfer["files"][0]["size"], transfer["files"][0]["cid"]) == ("3", None)
    assert isinstance(transfer["expires"]["raw"], str)
    shown = site.call("GET", "{}/{}".format(CREATE, transfer["id"])).json()
    assert shown["files"][0]["size"] == 3
    assert isinstance(shown["expires"]["raw"], int)
    assert shown["roundtriptoken"] == ""
    assert len(transfer["salt"]) == 32


def test_folders_are_entries_that_vanish(site: wire.Site) -> None:
    transfer = site.create([("d/e/a.txt", 1), ("d/b.txt", 1)])
    names = [(file["name"], file["size"], "cid" in file) for file in transfer["files"]]
    assert names == [
        ("d", 0, False), ("d/e", 0, False), ("d/e/a.txt", "1", True), ("d/b.txt", "1", True)
    ]  # fmt: skip
    assert transfer["options"]["collection"] is True
    shown = site.call("GET", "{}/{}".format(CREATE, transfer["id"])).json()
    assert [file["name"] for file in shown["files"]] == ["d/e/a.txt", "d/b.txt"]


def test_cids_duplicates_and_cleaning(site: wire.Site) -> None:
    files = [
        {"name": "a", "size": 1, "cid": "file_1_2_3_4"},
        {"name": "b", "size": "2", "cid": "mine"},
        {"name": "a", "size": 1, "cid": "file_9_9_9_9"},
    ]
    given = body(files=files, subject="<b>&amp;x", message="é")
    transfer = site.call("POST", CREATE, given).json()
    assert [file["cid"] for file in transfer["files"]] == ["file_1_2_3_4", False]
    assert transfer["subject"] == "< b>&x"
    assert transfer["message"] == "é"


def test_options(site: wire.Site) -> None:
    options = {
        "get_a_link": False, "email_me_copies": True, "nonsense": True, "hide_sender_email": True,
        "email_recipient_when_transfer_expires": False, "add_me_to_recipients": True,
    }  # fmt: skip
    transfer = site.call("POST", CREATE, body(options=options)).json()
    assert list(transfer["options"].items()) == [
        ("get_a_link", False),
        ("add_me_to_recipients", True),
        ("email_recipient_when_transfer_expires", True),
        ("hide_sender_email", True),
        ("email_me_copies", True),
        ("encryption", False),
    ]
    assert [p["email"] for p in transfer["recipients"]] == ["bob@example.net", "ann@example.org"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"from": None}, "bad_email"),
        ({"from": "ann"}, "bad_email"),
        ({"files": []}, "transfer_no_files"),
        ({"recipients": []}, "transfer_no_recipients"),
        # One malformed address drops all of them.
        ({"recipients": ["bob@example.net", "x"]}, "transfer_no_recipients"),
        ({"recipients": MANY_PEOPLE}, "transfer_too_many_recipients"),
        ({"files": MANY_FILES}, "transfer_too_many_files"),
        ({"files": [{"name": "a", "size": 101 << 30}]}, "transfer_maximum_size_exceeded"),
        ({"expires": 4102444800}, "bad_expire"),
    ],
)  # fmt: skip
def test_what_is_turned_down_without_a_trace(
    server: LocalServer, site: wire.Site, more: Any, expected: str
) -> None:
    assert message(site.call("POST", CREATE, body(**more))) == (500, expected)
    assert server.filesender.transfers() == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a" * 256, "database_access_failure"),
        ("a+b.txt", "transfer_file_name_invalid"), ("it's", "transfer_file_name_invalid"),
        ("a=b", "transfer_file_name_invalid"), ("~", "transfer_file_name_invalid"),
        ('say "x"', "transfer_file_name_invalid"), ("a{b}", "transfer_file_name_invalid"),
        ("a\\b", "transfer_file_name_invalid"), ("a|b", "transfer_file_name_invalid"),
        ("/abs", "transfer_file_name_invalid"), ("li\nne", "transfer_file_name_invalid"),
        ("a\n\n", "transfer_file_name_invalid"), ("a\u2013b", "transfer_file_name_invalid"),
        ("e\u0301.txt", "transfer_file_name_invalid"), ("", "transfer_file_name_invalid"),
        ("x.exe", "file_extension_not_allowed"), ("x.bat", "file_extension_not_allowed"),
        ("x.a_b", "file_extension_not_allowed"),
    ],
)  # fmt: skip
def test_bad_names_leave_an_orphan(server: LocalServer, site: wire.Site, name: str, expected: str) -> None:
    files = [{"name": "good.txt", "size": 1}, {"name": name, "size": 1}]
    assert message(site.call("POST", CREATE, body(files=files))) == (500, expected)
    assert [(t["status"], t["files"]) for t in server.filesender.transfers()] == [("created", [])]


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../b", "x.EXE", "a//b", "a/", "é.txt", "名.txt", "_,;:!@#$%^&*)(][-b .txt", " x ", ".bashrc", "CON"],
)
def test_names_that_pass(site: wire.Site, name: str) -> None:
    assert wire.real_files(site.create([(name, 1)]))[0]["name"] == name


def test_any_name_for_tests_of_hostile_ones() -> None:
    with LocalServer(services=["filesender"], filesender={"any_name": True}) as server:
        site = wire.Site(server.filesender)
        for name in HOSTILE:
            transfer = site.send(name, b"abc")
            assert wire.real_files(transfer)[0]["name"] == name
            reply = site.fetch(transfer)
            assert (reply.status, reply.body, reply.headers.get("b")) == (200, b"abc", None)
        assert server.filesender.listener.crashes == []


def test_halves_of_surrogates_are_no_text(site: wire.Site) -> None:
    raw = b'{"from":"ann@example.org","files":[{"name":"\\ud800","size":1}],"options":{}}'
    reply = site.bare("POST", site.signed("POST", CREATE, raw), raw)
    assert (reply.status, reply.body) == (500, b"")
    user = site.bare("GET", "/rest.php/user/@me?remote_user=%ff&timestamp=1&signature=x")
    assert message(user) == (500, "auth_remote_too_late")


def test_fatal_without_options(site: wire.Site) -> None:
    reply = site.call("POST", CREATE, body(options=None))
    assert (reply.status, reply.body) == (500, b"")


def test_terms_of_use(server: LocalServer, site: wire.Site) -> None:
    server.filesender.configure(aup_required=True)
    assert message(site.call("POST", CREATE, body())) == (400, "rest_bad_parameter")
    assert site.call("POST", CREATE, body(aup_checked=True)).status == 201


def test_expiry(server: LocalServer, site: wire.Site) -> None:
    past = site.create([("a", 0)], expires=1500000000)
    assert past["expires"]["raw"] == "1500000000"
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 5 * 86400))
    assert site.call("POST", CREATE, body(expires=day)).status == 201
    transfer = site.send("a", b"x")
    assert site.fetch(transfer).status == 200
    server.filesender.configure(clock_offset=11 * 86400.0)
    assert site.fetch(transfer).status == 500


def test_extension(server: LocalServer, site: wire.Site) -> None:
    transfer = site.send("a", b"x")
    place = "{}/{}".format(CREATE, transfer["id"])
    refused = (500, "transfer_expiry_extension_not_allowed")
    assert message(site.call("PUT", place, {"extend_expiry_date": True})) == refused
    moment = int(time.time()) + 15 * 86400
    extended = site.call("PUT", place, {"extend_expiry_date": moment}).json()
    assert extended["expires"]["raw"] == str(moment)
    later = site.call("PUT", place, {"extend_expiry_date": moment + 90 * 86400})
    assert message(later) == (500, "bad_expire")
    server.filesender.configure(expiry_extension_days=5)
    again = site.send("b", b"x")
    place = "{}/{}".format(CREATE, again["id"])
    assert again["expiry_date_extension"] == 1
    extended = site.call("PUT", place, {"extend_expiry_date": True}).json()
    assert extended["expiry_date_extension"] == 0
    assert message(site.call("PUT", place, {"extend_expiry_date": True})) == refused


def test_chunks_against_headers_and_bounds(server: LocalServer, site: wire.Site) -> None:
    server.filesender.configure(upload_chunk_size=1000)
    transfer = site.create([("a.bin", 2500)])
    file = wire.real_files(transfer)[0]
    part = DATA[:1000]
    assert message(site.chunk(transfer, file, 2000, part)) == (500, "file_chunk_out_of_bounds")
    assert message(site.chunk(transfer, file, 0, DATA[:1001])) == (500, "storage_chunk_too_large")
    for header in ("X_Filesender_File_Size", "X_Filesender_Chunk_Offset"):
        wrong = site.chunk(transfer, file, 0, part, **{header: "7"})
        assert message(wrong) == (400, "rest_sanity_check_failed")
    headerless = site.bare("PUT", wire.chunk_target(transfer, file, 0), part)
    assert (headerless.status, headerless.body) == (500, b"")
    signed = site.signed("PUT", "/rest.php/file/{}/chunk/0".format(file["id"]), part)
    lying = site.bare("PUT", signed, part, {"X-Filesender-Chunk-Size": "7"})
    assert message(lying) == (400, "rest_sanity_check_failed")
    # The failed call has written its bytes.
    assert server.filesender.transfers()[0]["status"] == "uploading"
    assert site.chunk(transfer, file, 0, b"").json() == {"offset": 0, "written": 0}
    assert site.chunk(transfer, file, 1500, part).json() == {"offset": "1500", "written": 1000}
    assert server.filesender.transfers()[0]["status"] == "uploading"
    # A gap in the middle is not detected, and consists of zeros.
    site.complete(transfer)
    assert site.fetch(transfer).body == part + bytes(500) + part


def test_key_mode_from_chunk_to_end(site: wire.Site) -> None:
    transfer = site.create([("a.bin", 3), ("b.bin", 0)])
    first, second = wire.real_files(transfer)
    assert site.chunk(transfer, first, 0, b"abc").status == 200
    for file in (first, second):
        target = "/rest.php/file/{}?key={}".format(file["id"], file["puid"])
        assert site.bare("PUT", target, b'{"complete":true}').body == b"true"
        # A second call has no effect.
        assert site.bare("PUT", target, b'{"complete":true}').body == b"true"
    place = "{}/{}".format(CREATE, transfer["id"])
    keys = "?key={0}&puid={0}".format(first["puid"])
    probe = site.bare("GET", place + "?puid=" + first["puid"])
    assert probe.json()["id"] == transfer["id"]
    assert message(site.bare("PUT", place + "?key=" + first["puid"], b'{"complete":true}')) == (
        400,
        "rest_security_token_did_not_match",
    )
    closes = site.bare("PUT", place + keys, b'{"closed":true}')
    assert message(closes) == (403, "rest_authentication_required")
    assert site.bare("PUT", place + keys, b'{"complete":true}').status == 200
    gone = site.bare("GET", place + "?puid=" + first["puid"])
    assert message(gone) == (403, "rest_authentication_required")


def test_auth_mode_wants_a_signature() -> None:
    with LocalServer(services=["filesender"], filesender={"chunk_security": "auth"}) as server:
        site = wire.Site(server.filesender)
        transfer = site.create([("a", 3)])
        file = wire.real_files(transfer)[0]
        refused = (400, "rest_security_token_did_not_match")
        assert message(site.chunk(transfer, file, 0, b"abc")) == refused
        target = "/rest.php/file/{}/chunk/0".format(file["id"])
        assert site.bare("PUT", site.signed("PUT", target, b"abc"), b"abc").status == 200
        keyed = "/rest.php/file/{}?key={}".format(file["id"], file["puid"])
        assert message(site.bare("PUT", keyed, b'{"complete":true}')) == refused
        site.complete(transfer)


def test_the_round_trip_check(server: LocalServer, site: wire.Site) -> None:
    server.filesender.configure(roundtrip_check=True)
    transfer = site.create([("a", 3)])
    file = wire.real_files(transfer)[0]
    refused = (403, "rest_roundtrip_token_invalid")
    target = "/rest.php/file/{}?key={}".format(file["id"], file["puid"])
    assert message(site.call("PUT", target, {"complete": True})) == refused
    wrong = {**transfer, "roundtriptoken": "0" * 32}
    assert message(site.chunk(wrong, file, 0, b"abc")) == refused
    assert site.chunk(transfer, file, 0, b"abc").status == 200
    keyed = target + "&roundtriptoken=" + transfer["roundtriptoken"]
    assert site.call("PUT", keyed, {"complete": True}).body == b"true"
    # Not required for the call of the transfer.
    place = "{}/{}".format(CREATE, transfer["id"])
    assert site.call("PUT", place, {"complete": True}).status == 200


def test_completion(server: LocalServer, site: wire.Site) -> None:
    transfer = site.create([("a", 3), ("b", 0)], options={
        "get_a_link": False, "email_upload_complete": True,
    })  # fmt: skip
    place = "{}/{}".format(CREATE, transfer["id"])
    incomplete = site.call("PUT", place, {"complete": True})
    assert message(incomplete) == (500, "transfer_files_incomplete")
    assert site.call("GET", CREATE).json() == []
    site.chunk(transfer, wire.real_files(transfer)[0], 0, b"abc")
    site.complete(transfer)
    kinds = [(mail["to"], mail["kind"]) for mail in server.filesender.mails]
    assert kinds == [
        ("bob@example.net", "transfer_available"),
        ("ann@example.org", "upload_complete"),
    ]
    assert site.call("PUT", place, {"complete": True}).status == 200
    assert len(server.filesender.mails) == 2
    assert server.filesender.mails[0]["url"] == transfer["recipients"][0]["download_url"]
    assert len(site.call("GET", CREATE + "?count=0&startIndex=5").json()) == 1


def test_closing_and_deleting(server: LocalServer, site: wire.Site) -> None:
    transfer = site.send("a", b"abc")
    place = "{}/{}".format(CREATE, transfer["id"])
    assert site.call("PUT", place, {"remind": True}).status == 200
    assert site.call("PUT", place, {"closed": True}).status == 200
    kinds = [mail["kind"] for mail in server.filesender.mails]
    assert kinds == ["transfer_available", "transfer_reminder", "transfer_closed"]
    assert site.call("PUT", place, {"remind": True}).status == 200
    assert len(server.filesender.mails) == 3
    assert site.call("GET", place).status == 200
    assert site.call("GET", CREATE).json() == []
    with pytest.raises(http.client.IncompleteRead):
        site.fetch(transfer)
    stored = server.filesender.stored(transfer["files"][0]["id"])
    assert site.call("DELETE", place).body == b"null"
    assert not Path(stored).exists()
    assert message(site.call("GET", place)) == (500, "transfer_not_found")
    early = site.create([("b", 1)])
    place = "{}/{}".format(CREATE, early["id"])
    site.call("PUT", place, {"closed": True})
    assert message(site.call("GET", place)) == (500, "transfer_not_found")


def test_recipients(server: LocalServer, site: wire.Site) -> None:
    transfer = site.send("a", b"abc")
    place = "{}/{}".format(CREATE, transfer["id"])
    given = {"recipient": "bob@example.net"}
    extra = site.call("POST", place + "/recipient", given).json()
    bad = site.call("POST", place + "/recipient", {"recipient": "x"})
    assert message(bad) == (500, "bad_email")
    assert server.filesender.mails[-1]["token"] == extra["token"]
    mine = "/rest.php/recipient/{}".format(extra["id"])
    assert site.call("GET", mine).json() == extra
    assert site.call("PUT", mine, {"remind": True}).json()["id"] == extra["id"]
    assert server.filesender.mails[-1]["kind"] == "transfer_reminder"
    for person in [*transfer["recipients"], extra]:
        assert site.call("DELETE", "/rest.php/recipient/{}".format(person["id"])).body == b"null"
    assert server.filesender.transfers()[0]["status"] == "closed"
    assert message(site.call("GET", mine)) == (500, "recipient_not_found")


def test_parts_of_a_transfer(server: LocalServer, site: wire.Site) -> None:
    transfer = site.send("d/a.txt", b"abc")
    place = "{}/{}".format(CREATE, transfer["id"])
    whole = site.call("GET", place).json()
    assert site.call("GET", place + "/options").json() == whole["options"]
    assert site.call("GET", place + "/salt").json() == whole["salt"]
    for part in ("/file", "/recipient"):
        assert site.call("GET", place + part).json() == whole
    assert site.call("GET", place + "/auditlog/mail").body == b"true"
    assert server.filesender.mails[-1]["kind"] == "report"
    file = whole["files"][0]
    assert site.call("GET", "/rest.php/file/{}".format(file["id"])).json() == file
    assert site.call("DELETE", "/rest.php/file/{}".format(file["id"])).body == b"null"
    assert server.filesender.transfers()[0]["status"] == "closed"
