"""Bodies that callers give: misspelt keys, empty ones, and fields that this version does not know."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, Callable, Dict, Iterator, List

import pytest

from smartxfer import FileSenderClient
from smartxfer.errors import UsageError
from smartxfer.filesender.request_body import (
    build_guest_body,
    build_raw_transfer_body,
    build_transfer_body,
    build_update_body,
)
from smartxfer.filesender.request_types import TransferUpdate
from smartxfer.transfer.local_files import collect_files
from smartxfer.validation import merge_extra
from tests.support.minimal_filesender import RawSite

FILES = [{"name": "a", "size": 5}]
INVITATION = {"from": "ann@example.org", "recipient": "gus@example.net"}
BOB = {"recipients": ["bob@example.net"]}


@pytest.fixture
def client(site: RawSite) -> Iterator[FileSenderClient]:
    with site.client() as made:
        yield made


def body(args: Any = None, link: bool = False, extra: Any = None, sender: Any = "ann@example.org") -> Dict[str, Any]:
    return build_transfer_body(collect_files([("a.txt", b"12")]), args or {}, sender, link, extra)


BODIES: List[Callable[[Any], Any]] = [
    build_guest_body,
    lambda given: build_raw_transfer_body(given, guest=False),
    lambda given: build_update_body(given, TransferUpdate),
    lambda given: build_transfer_body([], given, "ann@example.org", True),
]


@pytest.mark.parametrize("given", [None, "text", 5, [("a", 1)], object()], ids=type)
def test_arguments_of_another_type(given: Any) -> None:
    for build in BODIES:
        with pytest.raises(UsageError, match="dict"):
            build(given)
    for things in ({"subject": "x"}, None, 5, object()):
        with pytest.raises(UsageError, match="list"):
            collect_files(things)


@pytest.mark.parametrize(
    ("args", "link", "wanted"),
    [
        ({}, False, True),
        ({}, True, True),
        ({"subject": "s"}, False, True),
        ({"options": {}}, False, True),
        ({"options": {"get_a_link": True}}, False, True),
        ({"options": ["email_me_copies"]}, True, True),
        (BOB, False, False),
        ({**BOB, "options": {"email_me_copies": True}}, False, False),
        ({"options": {"get_a_link": False, "add_me_to_recipients": True}}, False, False),
    ],
)
def test_a_link_is_always_asked_for_or_declined(args: Any, link: bool, wanted: bool) -> None:
    """Without recipients, an absent key makes a link."""
    made = body(args, link)
    assert made["recipients"] == args.get("recipients", [])
    assert (made["options"]["get_a_link"], made["options"]["email_download_complete"]) == (wanted, True)


@pytest.mark.parametrize(
    ("args", "link"),
    [(BOB, True), ({**BOB, "options": {"get_a_link": True}}, False), ({"options": {"get_a_link": False}}, False)],
)
def test_either_a_link_or_recipients(args: Any, link: bool) -> None:
    with pytest.raises(UsageError, match="recipients"):
        body(args, link)


def test_what_is_announced() -> None:
    made = body({"recipients": "bob@example.net", "subject": None, "expires": 1_800_000_000})
    assert "subject" not in made
    assert {name: made[name] for name in ("from", "recipients", "expires", "files")} == {
        "from": "ann@example.org", "recipients": ["bob@example.net"], "expires": 1_800_000_000,
        "files": [{"name": "a.txt", "size": 2, "mime_type": "text/plain", "cid": "file_0_2_0_0"}],
    }
    assert "from" not in body(BOB, sender=None)
    assert body({**BOB, "from": "cy@example.org"})["from"] == "cy@example.org"


@pytest.mark.parametrize(
    ("args", "remedy"),
    [
        ({"recipient": ["bob@example.net"]}, "write 'recipients'"),
        ({"to": ["bob@example.net"]}, "write 'recipients'"),
        ({"Recipients": ["bob@example.net"]}, "write 'recipients'"),
        ({"recipients": ["bob@example.net"], "sender": "ann@example.org"}, "write 'from'"),
        ({"recipients": ["bob@example.net"], "massage": "hello"}, "write 'message'"),
        ({"options": {"get_link": True}}, "write 'get_a_link'"),
        ({"options": ["email_me_copys"]}, "write 'email_me_copies'"),
        ({"recipients": []}, "pass recipients"),
        ({"recipients": ""}, "pass recipients"),
        ({"recipients": ()}, "pass recipients"),
        ({"recipients": None}, "pass recipients"),
    ],
)
def test_what_would_reach_no_recipient_is_found_before(
    site: RawSite, client: FileSenderClient, args: Any, remedy: str
) -> None:
    with pytest.raises(UsageError) as caught:
        client.upload_workflow([("a.txt", b"12")], args)
    assert caught.value.hint.startswith(remedy)
    assert site.count("POST", "/.*") == 0


@pytest.mark.parametrize("wrong", [{"bob@example.net": 1}, 7, b"bob@example.net", {"recipients"}])
def test_recipients_are_a_list_of_addresses(client: FileSenderClient, site: RawSite, wrong: Any) -> None:
    with pytest.raises(UsageError):
        client.upload_workflow([("a.txt", b"12")], {"recipients": wrong})
    assert site.count("POST", "/.*") == 0


def test_unknown_fields_are_sent_deliberately(site: RawSite, client: FileSenderClient) -> None:
    extra = {"options": {"brand_new": True}, "lifetime": 7}
    client.upload_workflow([("a.txt", b"12")], BOB, extra=extra)
    [created] = [json.loads(one.body) for one in site.requests if one.method == "POST"]
    assert created["lifetime"] == 7
    assert created["options"]["brand_new"] is True
    assert created["options"]["get_a_link"] is False


@pytest.mark.parametrize("extra", [{"subject": "s"}, {"options": {"get_a_link": True}}, {"files": []}, [1]])
def test_extra_replaces_nothing(extra: Any) -> None:
    with pytest.raises(UsageError, match="extra"):
        body({**BOB, "subject": "t"}, extra=extra)


def test_merging_leaves_both_as_they_were() -> None:
    given, extra = {"options": {"a": 1}}, {"options": {"b": {"c": 2}}, "d": 3}
    assert merge_extra(given, extra) == {"options": {"a": 1, "b": {"c": 2}}, "d": 3}
    assert given == {"options": {"a": 1}}
    assert extra == {"options": {"b": {"c": 2}}, "d": 3}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"file": FILES}, "no key 'file'"),
        ({}, "missing or empty list: body['files']"),
        ({"files": []}, "missing or empty list: body['files']"),
        ({"files": "a"}, "missing or empty list: body['files']"),
        ({"files": [{"name": "a"}]}, "size in bytes"),
        ({"files": [{"name": "a", "size": "5"}]}, "size in bytes"),
        ({"files": [{"name": "a", "size": 5.5}]}, "size in bytes"),
        ({"files": [{"name": "a", "size": True}]}, "size in bytes"),
        ({"files": [{"name": "a", "size": 5, "mime": "text/plain"}]}, "no key 'mime'"),
        ({"files": FILES, "recipient": ["b@example.net"]}, "no key 'recipient'"),
        ({"files": FILES, "recipients": []}, "recipients is empty"),
        ({"files": FILES, "options": {"get_a_lonk": True}}, "no key 'get_a_lonk'"),
        ({"files": [{"name": "a+b", "size": 5}, {"name": "c=d", "size": 5}]}, "'a+b': invalid characters: +; the site"),
    ],
)
def test_a_transfer_that_is_created_by_hand(site: RawSite, client: FileSenderClient, wrong: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        client.create_transfer({"from": "ann@example.org", **wrong})
    assert said in str(caught.value)
    assert site.count("POST", "/.*") == 0


@pytest.mark.parametrize(
    ("given", "link"),
    [
        ({}, True),
        ({"recipients": ["b@example.net"]}, False),
        ({"recipients": ["b@example.net"], "options": ["email_me_copies"]}, False),
        ({"recipients": [], "options": {"get_a_link": True}}, True),
        ({"options": {"add_me_to_recipients": True}}, False),
        ({"options": {"get_a_link": False}}, False),
    ],
)
def test_by_hand_a_link_is_asked_for_or_declined(given: Any, link: bool) -> None:
    """A server left to itself turns it on and discards the recipients."""
    assert build_raw_transfer_body({"files": FILES, **given}, guest=False)["options"]["get_a_link"] is link


def test_a_guest_may_say_that_there_are_no_recipients() -> None:
    made = build_transfer_body(collect_files([("a.txt", b"12")]), {"recipients": []}, None, False)
    assert (made["recipients"], made["options"]["get_a_link"]) == ([], True)
    assert build_raw_transfer_body({"files": FILES, "recipients": []}, guest=True)["recipients"] == []


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"to": "gus@example.net"}, "write 'recipient'"),
        ({"recipients": "gus@example.net"}, "write 'recipient'"),
        ({"options": {"guests": {}}}, "write 'guest'"),
        ({"options": {"guest": {"valid_only_once": True}}}, "write 'valid_only_one_time'"),
        ({"options": {"guest": ["can_only_send_to_you"]}}, "write 'can_only_send_to_me'"),
        ({"options": {"transfer": {"get_link": True}}}, "write 'get_a_link'"),
        ({"options": {"valid_only_one_time": True}}, "write one of: guest, transfer"),
        ({"recipient": "no-address"}, "recipient 'no-address' is not an e-mail address"),
        ({"recipient": ""}, "recipient '' is not an e-mail address"),
        ({"from": "me"}, "'from' 'me' is not an e-mail address"),
        ({"expires": "soon"}, "invalid expires: 'soon'"),
    ],
)
def test_vouchers(site: RawSite, client: FileSenderClient, wrong: Any, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        client.create_guest({**INVITATION, **wrong})
    assert any(text.startswith(remedy) for text in (str(caught.value), caught.value.hint))
    assert site.count("POST", "/.*") == 0


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, {"guest": {}, "transfer": {"get_a_link": True}}),
        ({"options": {"transfer": {"get_a_link": False}}}, {"guest": {}, "transfer": {"get_a_link": False}}),
        (
            {"options": {"guest": {"can_only_send_to_me": False}, "transfer": {"collection": True}}},
            {"guest": {"can_only_send_to_me": False}, "transfer": {"get_a_link": True, "collection": True}},
        ),
        # The site turns links off by itself.
        ({"options": {"guest": {"can_only_send_to_me": True}}}, {"guest": {"can_only_send_to_me": True}}),
    ],
)
def test_a_voucher_says_whether_it_makes_links(given: Any, sent: Any) -> None:
    assert build_guest_body({**INVITATION, **given})["options"] == sent


def test_a_voucher_with_a_field_that_is_not_known_here() -> None:
    given = {**INVITATION, "options": {"guest": {"does_not_expire": True}}}
    made = build_guest_body(given, {"options": {"guest": {"brand_new": True}}, "lang": "en"})
    assert made["options"] == {
        "guest": {"does_not_expire": True, "brand_new": True},
        "transfer": {"get_a_link": True},
    }
    assert made["lang"] == "en"


@pytest.mark.parametrize("wrong", [{"completed": True}, {"complet": True}, {}])
def test_changes(site: RawSite, client: FileSenderClient, wrong: Any) -> None:
    file = {"id": 20, "name": "a", "size": 5}
    for change in (lambda: client.update_transfer(7, wrong), lambda: client.update_file(file, wrong)):  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="body"):
            change()
    assert site.requests == []


def test_a_change_that_is_not_known_here(site: RawSite, client: FileSenderClient) -> None:
    client.update_transfer(7, {}, extra={"archive": True})
    assert json.loads(site.requests[-1].body) == {"archive": True}


# -- dates as text: sites ignore them without an error, so the client sends seconds -----------------------------

DAY = (dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=5)).date()
BEGINS = int(dt.datetime(DAY.year, DAY.month, DAY.day, tzinfo=dt.timezone.utc).timestamp())


@pytest.mark.parametrize("given", [DAY.isoformat(), str(BEGINS), BEGINS])
def test_a_transfer_expires_when_it_was_asked_to(harness: Any, given: Any) -> None:
    client = harness.client()
    client.upload_workflow([("a.txt", b"A")], {"expires": given}, link=True)
    client.create_transfer({"from": "ann@example.org", "files": FILES, "expires": given, "options": {}})
    assert [row["expires"] for row in harness.site.transfers()] == [BEGINS, BEGINS]
    assert client.create_guest({**INVITATION, "expires": given}).expires.raw == BEGINS
