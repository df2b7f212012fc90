"""Structures of a site's responses, with the types that real sites send."""

from __future__ import annotations

import datetime as dt
import pickle
from typing import Any, Dict

import pytest

from smartxfer.errors import DecodeError
from smartxfer.filesender.models import Date, DownloadFile, File, Guest, Recipient, ServerInfo, Transfer

TOKEN = "0f2a9c1e-7b6d-4e5f-8a9b-0c1d2e3f4a5b"
PUID = "11112222-3333-4444-5555-666677778888"

DATE = {"raw": 1700000000, "formatted": "Nov 14, 2023"}
LINK = f"https://fs.example.org/?s=download&token={TOKEN}"
PERSON: Dict[str, Any] = {
    "id": 9, "transfer_id": 7, "token": TOKEN, "email": "bob@example.net", "created": DATE, "last_activity": None,
    "options": None, "download_url": LINK, "errors": [{"type": "bounce", "date": DATE, "details": "full"}],
}
CREATED: Dict[str, Any] = {
    "id": 7, "userid": 3, "user_email": "ann@example.org", "subject": "reads", "message": "", "created": DATE,
    "expires": {"raw": "1700864000", "formatted": "Nov 24, 2023"}, "expiry_date_extension": 0,
    "options": {"get_a_link": False, "collection": True}, "salt": "s" * 32, "roundtriptoken": "r" * 32,
    "files": [
        {"id": 11, "transfer_id": 7, "puid": PUID, "name": "run/a", "size": "5", "sha1": None, "cid": "file_1_5_0_0"},
        {"id": 12, "transfer_id": 7, "uid": PUID, "name": "run", "size": 0, "sha1": None, "cid": False},
    ],
    "recipients": [PERSON],
}


def test_a_created_transfer() -> None:
    transfer = Transfer.from_wire(CREATED)
    assert (transfer.id, transfer.expires.raw, transfer.options["get_a_link"]) == (7, 1700864000, False)
    assert transfer["files"][0]["size"] == "5"
    assert [(file.name, file.size, file.key) for file in transfer.files] == [("run/a", 5, PUID), ("run", 0, PUID)]
    assert transfer.token == TOKEN
    assert transfer.download_url == CREATED["recipients"][0]["download_url"]
    assert transfer.recipients[0].errors[0].type == "bounce"
    assert transfer.results == ()


def test_a_transfer_without_recipients_has_no_link() -> None:
    transfer = Transfer.from_wire({"id": 7})
    assert (transfer.token, transfer.download_url, transfer.files) == ("", "", [])


def test_what_opens_something_is_not_shown() -> None:
    guest = Guest.from_wire({"id": 1, "token": TOKEN, "upload_url": f"https://fs.example.org/?s=upload&vid={TOKEN}"})
    for shown in (repr(Transfer.from_wire(CREATED)), repr([guest]), repr(Recipient.from_wire({"id": 1, "token": TOKEN}))):
        for secret in (TOKEN, PUID, "r" * 32, "s" * 32):
            assert secret not in shown


def test_a_transfer_survives_a_pickle() -> None:
    transfer = Transfer.from_wire(CREATED)
    again = pickle.loads(pickle.dumps(transfer))
    assert again == transfer == CREATED
    assert again.files[0].size == 5


@pytest.mark.parametrize(
    ("raw", "moment"), [("0", dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)), (None, None), (10**18, None)]
)
def test_a_date_is_aware_or_none(raw: Any, moment: Any) -> None:
    assert Date.from_wire({"raw": raw, "formatted": "Jan 1, 1970"}).datetime == moment


def test_a_guest() -> None:
    wire = {
        "id": "4", "userid": 3, "email": "eve@example.net", "token": TOKEN, "transfer_count": 0, "errors": [],
        "transfer_options": {"get_a_link": True}, "expires": {"raw": 1700864000, "formatted": ""},
        "options": {"valid_only_one_time": True, "guest": {}, "transfer": {}}, "colour": "new in this version",
    }
    guest = Guest.from_wire(wire)
    assert (guest.id, guest.email, guest.token) == (4, "eve@example.net", TOKEN)
    assert guest.options["valid_only_one_time"] is True
    assert guest.extra == {"colour": "new in this version"}


def test_server_info_keeps_what_the_site_discloses() -> None:
    info = ServerInfo.from_wire({"url": "https://fs.example.org/", "upload_chunk_size": 5242880, "version": "3.8"})
    assert info.upload_chunk_size == 5242880
    assert info.extra == {"version": "3.8"}


@pytest.mark.parametrize("wire", [{"id": 1, "name": "a"}, {"id": 1, "name": "a", "size": "big"}, [], None])
def test_a_file_without_required_attributes_is_an_error(wire: Any) -> None:
    with pytest.raises(DecodeError, match="File"):
        File.from_wire(wire)


# -- the listing of a download ---------------------------------------------------------------------------


def test_attributes_and_json_say_the_same() -> None:
    attributes = {"id": "11", "name": "a", "size": "5", "encrypted": "", "chunk-size": "1048576", "key-version": ""}
    objects = {"id": 11, "name": "a", "size": 5, "encrypted": False, "chunk_size": 1048576, "key_version": 0}
    for given in (attributes, objects):
        file = DownloadFile.from_attributes(given)
        assert {name: getattr(file, name) for name in objects} == objects


@pytest.mark.parametrize(
    ("said", "encrypted"),
    [("", False), ("0", False), ("false", False), (False, False), (None, False), ("1", True), (True, True), (1, True)],
)
def test_whether_a_file_is_encrypted(said: Any, encrypted: bool) -> None:
    file = DownloadFile.from_attributes({"id": 1, "name": "a", "size": 1, "encrypted": said})
    assert file.encrypted is encrypted


@pytest.mark.parametrize("size", ["-1", "many", None, []])
def test_a_listed_file_has_a_size(size: Any) -> None:
    with pytest.raises(DecodeError):
        DownloadFile.from_attributes({"id": 1, "name": "a", "size": size})


def test_falsy_values_are_printed_as_the_empty_text() -> None:
    """Source: section 15, and the page of ``captures/filesender-3.8-wire.txt``."""
    names = ["size", "encrypted-size", "key-version", "password-version", "password-hash-iterations", "name", "mime"]
    facts = {**dict.fromkeys(names, ""), "id": "7", "encrypted": "1", "chunk-size": "", "fileiv": "", "transferid": ""}
    file = DownloadFile.from_attributes(facts)
    assert (file.name, file.size, file.encrypted_size, file.key_version) == ("0", 0, 0, 0)
    assert (file.encrypted, file.mime) == (True, "")
    assert (file.chunk_size, file.fileiv, file.transferid) == (None, None, None)
    assert file["size"] == 0
    # Of a file with bytes, an empty encrypted size is unknown.
    facts = {"id": "7", "name": "a", "size": "5", "encrypted": "1", "encrypted-size": "", "key-version": ""}
    file = DownloadFile.from_attributes(facts)
    assert (file.size, file.encrypted_size, file.key_version) == (5, None, 0)


def test_the_site_s_chunk_size_is_the_default() -> None:
    file = DownloadFile.from_attributes({"id": 1, "name": "a", "size": 1, "chunk-size": ""})
    assert file.with_chunk_size(5).chunk_size == 5
    own = DownloadFile.from_attributes({"id": 1, "name": "a", "size": 1, "chunk-size": "7"})
    assert own.with_chunk_size(5).chunk_size == 7
    assert own.with_name("b").name == "b"
