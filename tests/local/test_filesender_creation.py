"""New transfers, chunks and completion on both releases, without what the captures show (protocol, 4 to 6)."""

import hashlib
from typing import Any, Dict

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire
from tests.support.local.releases import configured, each_release, is_2x, message

CREATE = "/rest.php/transfer"
TOKEN = (400, "rest_security_token_did_not_match")
HOSTILE = ("/etc/x", "a\\..\\b", "C:\\x", "x" * 300, "nul\0", "a\r\nb: c", 'q"', "e\u0301")

server = each_release()


def body(**more: Any) -> Dict[str, Any]:
    files = [{"name": "a.txt", "size": 3}]
    given = {"from": "ann@example.org", "files": files, "recipients": [], "options": {}, **more}
    return {key: value for key, value in given.items() if value != "absent"}


def at(transfer: Any) -> str:
    return "{}/{}".format(CREATE, transfer["id"])


def orphans(server: LocalServer, before: int) -> Any:
    return [(row["status"], row["files"]) for row in server.filesender.transfers()[before:]]


@pytest.mark.parametrize(
    ("more", "expected", "orphan"),
    [
        ({"from": "absent"}, "bad_email", False), ({"from": "ann"}, "bad_email", False),
        ({"files": []}, "transfer_no_files", False),
        ({"recipients": [], "options": {"get_a_link": False}}, "transfer_no_recipients", False),
        ({"files": [{"name": f"f{n}", "size": 1} for n in range(31)]}, "transfer_too_many_files", False),
        ({"files": [{"name": "a", "size": 101 << 30}]}, "transfer_maximum_size_exceeded", False),
        ({"recipients": [f"r{number}@example.net" for number in range(51)], "options": {"get_a_link": False}},
         "transfer_too_many_recipients", False),
        ({"expires": 4102444800}, "bad_expire", False),
        ({"files": [{"size": 5}]}, "transfer_file_name_invalid", True),
        ({"files": [{"name": "a", "size": -1}]}, "database_access_failure", True),
        ({"files": [{"name": "a", "size": 5.5}]}, "database_access_failure", True),
        ({"files": [{"name": name, "size": 1} for name in ("ok", "a" * 256)]}, "database_access_failure", True),
        ({"encryption": True, "encryption_key_version": 9}, "rest_bad_parameter", True),
    ],
)  # fmt: skip
def test_a_refused_transfer_leaves_nothing_or_an_empty_one(
    server: LocalServer, site: wire.Site, more: Any, expected: str, orphan: bool
) -> None:
    before = len(server.filesender.transfers())
    status = 400 if expected == "rest_bad_parameter" else 500
    assert message(site.call("POST", CREATE, body(**more))) == (status, expected)
    assert orphans(server, before) == [("created", [])] * orphan


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, "transfer_file_name_invalid") for name in (
            "a+b.txt", "it's", "a=b", "~", 'say "x"', "a{b}", "a\\b", "a|b", "/abs", "li\nne", "a\n\n",
            "a\u2013b", "e\u0301.txt", "",
        )),
        *((name, "file_extension_not_allowed") for name in ("x.exe", "x.bat", "x.a_b")),
    ],
)  # fmt: skip
def test_invalid_names(site: wire.Site, name: str, expected: str) -> None:
    files = [{"name": "good.txt", "size": 1}, {"name": name, "size": 1}]
    assert message(site.call("POST", CREATE, body(files=files))) == (500, expected)


@pytest.mark.parametrize(
    "name",
    [
        "../x", "a/../b", "x.EXE", "a//b", "a/", "é.txt", "名.txt", "_,;:!@#$%^&*)(][-b .txt", " x ", ".bashrc",
        "CON",
    ],
)
def test_valid_names(site: wire.Site, name: str) -> None:
    assert wire.real_files(site.create([(name, 1)]))[0]["name"] == name


def test_any_name_for_tests_of_hostile_ones(server: LocalServer, site: wire.Site) -> None:
    with configured(server, any_name=True):
        for name in HOSTILE:
            transfer = site.send(name, b"abc")
            assert wire.real_files(transfer)[0]["name"] == name
            reply = site.fetch(transfer)
            assert (reply.status, reply.body, reply.headers.get("b")) == (200, b"abc", None)


def test_lone_surrogates_and_undecodable_queries(site: wire.Site) -> None:
    raw = b'{"from":"ann@example.org","files":[{"name":"\\ud800","size":1}],"options":{}}'
    reply = site.bare("POST", site.signed("POST", CREATE, raw), raw)
    assert (reply.status, reply.body) == (500, b"")
    user = site.bare("GET", "/rest.php/user/@me?remote_user=%ff&timestamp=1&signature=x")
    assert message(user) == (500, "auth_remote_too_late")


@pytest.mark.parametrize("wrong", [{"recipients": "x"}, {"recipients": None, "files": None}, {"files": None}])
def test_a_php_error_has_an_empty_body(site: wire.Site, wrong: Any) -> None:
    reply = site.call("POST", CREATE, body(**wrong))
    assert (reply.status, reply.body, reply.headers["Content-Type"]) == (500, b"", "text/html; charset=UTF-8")


def test_a_link_is_the_default_and_drops_recipients(server: LocalServer, site: wire.Site) -> None:
    mailed = len(server.filesender.mails)
    for options in ({}, [], ["email_download_complete"], {"get_a_link": True}):
        transfer = site.call("POST", CREATE, body(options=options, recipients=["bob@example.net"])).json()
        assert transfer["options"]["get_a_link"] is True
        assert [person["email"] for person in transfer["recipients"]] == [""]
    site.send("a", b"", options={})
    assert len(server.filesender.mails) == mailed


def test_folders_are_entries_of_the_first_response_only(site: wire.Site) -> None:
    transfer = site.create([("d/e/a.txt", 1), ("d/b.txt", 1)])
    assert [(file["name"], file["size"], "cid" in file) for file in transfer["files"]] == [
        ("d", 0, False), ("d/e", 0, False), ("d/e/a.txt", "1", True), ("d/b.txt", "1", True)
    ]  # fmt: skip
    assert transfer["options"]["collection"] is True
    later = site.call("GET", at(transfer)).json()["files"]
    assert [file["name"] for file in later] == ["d/e/a.txt", "d/b.txt"]


def test_duplicate_names_tags_and_entities(site: wire.Site) -> None:
    files = [
        {"name": "a", "size": 1, "cid": "file_1_2_3_4"}, {"name": "b", "size": "2", "cid": "mine"},
        {"name": "a", "size": 1, "cid": "file_9_9_9_9"},
    ]  # fmt: skip
    made = site.call("POST", CREATE, body(files=files, subject="<b>&amp;x", message="é")).json()
    assert [file["cid"] for file in made["files"]] == ["file_1_2_3_4", False]
    assert (made["subject"], made["message"]) == ("< b>&x", "é")


def test_the_order_of_options(site: wire.Site) -> None:
    options = {
        "get_a_link": False, "email_me_copies": True, "nonsense": True, "hide_sender_email": True,
        "email_recipient_when_transfer_expires": False, "add_me_to_recipients": True,
    }  # fmt: skip
    made = site.call("POST", CREATE, body(options=options, recipients=["bob@example.net"])).json()
    assert list(made["options"].items()) == [
        ("get_a_link", False), ("add_me_to_recipients", True),
        ("email_recipient_when_transfer_expires", True), ("hide_sender_email", True),
        ("email_me_copies", True), ("encryption", False),
    ]  # fmt: skip
    assert [person["email"] for person in made["recipients"]] == ["bob@example.net", "ann@example.org"]


@pytest.mark.parametrize(
    ("address", "valid"),
    [
        ("a+b@example.net", True), ("a.b@example.net", True), ("\u00fc@example.net", False),
        ("a.@example.net", False), (".a@example.net", False), ("a..b@example.net", False),
        ("a@-example.net", False), ("a@example", False), ("a@b@example.net", False),
        ("x" * 65 + "@example.net", False),
    ],
)  # fmt: skip
def test_one_malformed_address_drops_all(site: wire.Site, address: str, valid: bool) -> None:
    people = ["bob@example.net", address, "bob@example.net"]
    reply = site.call("POST", CREATE, body(recipients=people, options={"get_a_link": False}))
    if valid:
        assert [row["email"] for row in reply.json()["recipients"]] == people[:2]
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
    if is_2x(server):
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
        if is_2x(server):
            assert (bare.status, wrong.status) == (200, 200)
        else:
            assert message(bare) == message(wrong) == (500, "checksum validation failed")
            assert server.filesender.transfers()[-1]["files"][0]["stored"] == 0
        assert site.chunk(transfer, file, 0, b"hello", X_Filesender_Digest_SHA256=right).status == 200
        signed = site.signed("PUT", "/rest.php/file/{}/chunk/0".format(file["id"]), b"hello")
        assert site.bare("PUT", signed, b"hello", {"X-Filesender-Digest-SHA256": right}).status == 200
        site.complete(transfer)
    assert site.fetch(transfer).body == b"hello"


@pytest.mark.parametrize("mode", ["key", "auth"])
def test_what_a_key_allows(server: LocalServer, site: wire.Site, mode: str) -> None:
    with configured(server, chunk_security=mode):
        transfer = site.create([("a", 3)])
        [file] = wire.real_files(transfer)
        chunk = site.chunk(transfer, file, 0, b"abc")
        target = "/rest.php/file/{}".format(file["id"])
        complete = site.bare("PUT", target + "?key=" + file["puid"], b'{"complete":true}')
        if mode == "auth":
            assert message(chunk) == message(complete) == TOKEN
            assert site.bare("PUT", site.signed("PUT", target + "/chunk/0", b"abc"), b"abc").status == 200
            site.complete(transfer)
            return
        assert (chunk.status, complete.body) == (200, b"true")
        assert message(site.bare("PUT", at(transfer) + "?key=" + file["puid"], b'{"complete":true}')) == TOKEN
        both = at(transfer) + "?key={0}&puid={0}".format(file["puid"])
        assert message(site.bare("PUT", both, b'{"closed":true}')) == (403, "rest_authentication_required")
        assert site.bare("PUT", both, b'{"complete":true}').status == 200


def test_the_round_trip_check(server: LocalServer, site: wire.Site) -> None:
    refused = (403, "rest_roundtrip_token_invalid")
    with configured(server, roundtrip_check=True):
        transfer = site.create([("a", 3)])
        [file] = wire.real_files(transfer)
        target = "/rest.php/file/{}?key={}".format(file["id"], file["puid"])
        assert message(site.call("PUT", target, {"complete": True})) == refused
        assert message(site.chunk({**transfer, "roundtriptoken": "0" * 32}, file, 0, b"abc")) == refused
        assert site.chunk(transfer, file, 0, b"abc").status == 200
        keyed = target + "&roundtriptoken=" + transfer["roundtriptoken"]
        assert site.call("PUT", keyed, {"complete": True}).body == b"true"
        # Not required for the call of the transfer.
        assert site.call("PUT", at(transfer), {"complete": True}).status == 200


# Completion


def test_mails_of_a_completion(server: LocalServer, site: wire.Site) -> None:
    listed, mailed = len(site.call("GET", CREATE).json()), len(server.filesender.mails)
    transfer = site.create([("a", 0), ("b", 0)], options={"get_a_link": False, "email_upload_complete": True})
    assert len(site.call("GET", CREATE).json()) == listed
    for _ in range(2):
        site.complete(transfer)
        assert [(mail["to"], mail["kind"]) for mail in server.filesender.mails[mailed:]] == [
            ("bob@example.net", "transfer_available"), ("ann@example.org", "upload_complete"),
        ]  # fmt: skip
    assert server.filesender.mails[mailed]["url"] == transfer["recipients"][0]["download_url"]


def test_a_failed_completion_is_in_the_log(site: wire.Site) -> None:
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
