"""Calls succeed on the documented statuses and bodies, and on nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Tuple

import pytest

from smartxfer import FileSenderClient, RetryPolicy, UserAuth
from smartxfer.errors import CommunicationError, DecodeError, ServerError, SmartxferError
from tests.support.minimal_filesender import TOKEN, RawSite
from tests.support.raw_server import Peer, RawServer, Request, answering

ANN = UserAuth("ann@example.org", "k3y")
ONCE = RetryPolicy(attempts=1)
TO_BOB = {"recipients": ["bob@example.net"]}
INVITATION = {"from": "ann@example.org", "recipient": "gus@example.net"}
FILE: Any = {"id": 20, "transfer_id": 7, "name": "a", "size": 4, "puid": "x"}
PAGE = b"<html><body>Please log in to the network</body></html>"
TRANSFER = {"id": 7, "files": [], "recipients": []}
PERSON = {"id": 3, "email": "bob@example.net"}
GUEST = {"id": 5, "email": "gus@example.net"}

#: Each call: method, path, and what the site answers to it: (status, body).
CALLS: Dict[str, Tuple[str, str, Tuple[int, Any], Callable[[FileSenderClient], Any]]] = {
    "create_transfer": (
        "POST", "/rest.php/transfer", (201, {**TRANSFER, "recipients": [PERSON]}),
        lambda c: c.create_transfer({**TO_BOB, "from": "ann@example.org", "files": [{"name": "a", "size": 4}]}),
    ),
    "chunk": ("PUT", "/rest.php/file/20/chunk/0", (200, {"offset": 0, "written": 4}), lambda c: c.upload_file(FILE, b"data")),
    "update_file": ("PUT", "/rest.php/file/20", (200, True), lambda c: c.update_file(FILE, {"complete": True})),
    "complete": ("PUT", "/rest.php/transfer/7", (200, TRANSFER), lambda c: c.update_transfer(7, {"complete": True})),
    "remind": ("PUT", "/rest.php/transfer/7", (200, TRANSFER), lambda c: c.transfers.remind(7)),
    "close": ("PUT", "/rest.php/transfer/7", (200, TRANSFER), lambda c: c.transfers.close(7)),
    "transfers.get": ("GET", "/rest.php/transfer/7", (200, TRANSFER), lambda c: c.transfers.get(7)),
    "transfers.list": ("GET", "/rest.php/transfer", (200, [TRANSFER]), lambda c: c.transfers.list()),
    "transfers.delete": ("DELETE", "/rest.php/transfer/7", (200, None), lambda c: c.transfers.delete(7)),
    "transfers.audit_log": ("GET", "/rest.php/transfer/7/auditlog", (200, []), lambda c: c.transfers.audit_log(7)),
    "transfers.mail_audit_log": ("GET", "/rest.php/transfer/7/auditlog/mail", (200, True), lambda c: c.transfers.mail_audit_log(7)),
    "transfers.add_recipient": ("POST", "/rest.php/transfer/7/recipient", (201, PERSON), lambda c: c.transfers.add_recipient(7, "k@example.net")),
    "transfers.remind_recipient": ("PUT", "/rest.php/recipient/3", (200, PERSON), lambda c: c.transfers.remind_recipient(3)),
    "transfers.remove_recipient": ("DELETE", "/rest.php/recipient/3", (200, None), lambda c: c.transfers.remove_recipient(3)),
    "create_guest": ("POST", "/rest.php/guest", (201, GUEST), lambda c: c.create_guest(INVITATION)),
    "guests.remind": ("PUT", "/rest.php/guest/5", (200, True), lambda c: c.guests.remind(5)),
    "guests.delete": ("DELETE", "/rest.php/guest/5", (200, None), lambda c: c.guests.delete(5)),
    "quota": ("GET", "/rest.php/user/@me/quota", (200, None), lambda c: c.quota()),
}  # fmt: skip


@pytest.fixture
def site() -> Iterator[RawSite]:
    with RawSite() as running:
        yield running


@pytest.fixture
def client(site: RawSite) -> Iterator[FileSenderClient]:
    with FileSenderClient(site.url, auth=ANN, retry=ONCE) as made:
        made.prepare()
        yield made


@pytest.mark.parametrize("name", CALLS)
def test_the_documented_answer_is_success(site: RawSite, client: FileSenderClient, name: str) -> None:
    method, path, (status, body), call = CALLS[name]
    site.refuse(method, path, status, body)
    call(client)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("status", [200, 201, 202, 203, 204, 206, 301, 304])
def test_another_status_is_not_a_success(site: RawSite, client: FileSenderClient, name: str, status: int) -> None:
    method, path, (documented, body), call = CALLS[name]
    if status == documented:
        return
    site.refuse(method, path, status, b"" if status in (204, 304) else body)
    with pytest.raises(CommunicationError):
        call(client)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("body", [PAGE, b"", b"{", {"status": "ok"}, False, "done"])
def test_another_body_is_not_a_success(site: RawSite, client: FileSenderClient, name: str, body: Any) -> None:
    method, path, (documented, _), call = CALLS[name]
    if name == "quota" and isinstance(body, dict):
        return  # all its fields are optional
    site.refuse(method, path, documented, (body,) if isinstance(body, str) else body)
    with pytest.raises(CommunicationError):
        call(client)


@pytest.mark.parametrize(("method", "status"), [("get", 200), ("put", 201), ("post", 200), ("delete", 200)])
def test_a_raw_call_takes_other_successes(
    site: RawSite, client: FileSenderClient, method: str, status: int
) -> None:
    """A raw call may use an endpoint that the protocol page does not document."""
    site.refuse(method.upper(), "/rest.php/plugin/5", status, {"done": True})
    assert getattr(client, method)("plugin", 5) == {"done": True}


@pytest.mark.parametrize("written", [True, None, 0, 3, 5, "four"])
def test_a_chunk_counts_only_with_all_its_bytes(site: RawSite, client: FileSenderClient, written: Any) -> None:
    site.refuse("PUT", "/rest.php/file/20/chunk/0", 200, {"offset": 0, "written": written})
    with pytest.raises(CommunicationError, match="written|wrote"):
        client.upload_file(FILE, b"data")


def test_the_completion_of_another_transfer_is_an_error(site: RawSite, client: FileSenderClient) -> None:
    site.refuse("PUT", "/rest.php/transfer/7", 200, {**TRANSFER, "id": 8})
    with pytest.raises(DecodeError, match="transfer 8, not 7"):
        client.update_transfer(7, {"complete": True})


@pytest.mark.parametrize("answer", [(204, b""), (200, PAGE), (202, {"offset": 0, "written": 1000})], ids=str)
def test_nothing_is_noted_as_sent_on_another_answer(site: RawSite, tmp_path: Path, answer: Tuple[int, Any]) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(range(256)) * 10)
    site.refuse("PUT", "/rest.php/file/20/chunk/1000", *answer)
    with FileSenderClient(site.url, auth=ANN, retry=ONCE, concurrent_chunks=1) as client:
        with pytest.raises(SmartxferError):
            client.upload_workflow([path], TO_BOB)
        assert site.status == "uploading"
        [result] = client.upload_workflow([path], TO_BOB).results
    assert result.resumed == 1000
    assert bytes(site.stored[20]) == path.read_bytes()


# -- a file that is missing on the site ----------------------------------------------------------------------


@pytest.mark.parametrize("sent", [0, 2])
def test_a_missing_stored_file_is_reported_with_its_status(tmp_path: Path, sent: int) -> None:
    """The site answers 500 with the length of the file, and with a body that is shorter."""
    page = '<table><tr class="file" data-id="5" data-name="a.txt" data-size="5" data-chunk-size="1000"></table>'

    def reply(request: Request, peer: Peer) -> None:
        if request.path == "/download.php":
            peer.answer(500, b"xy"[:sent], "Content-Type: application/binary", length=5)
            peer.close()
        elif request.path == "/":
            peer.answer(200, page.encode(), "Content-Type: text/html")
        else:
            peer.answer(200, b'{"upload_chunk_size": 1000}', "Content-Type: application/json")

    with RawServer(answering(reply)) as server, FileSenderClient(server.url, retry=ONCE) as client:
        with pytest.raises(ServerError) as caught:
            client.download_files(TOKEN, tmp_path)
    assert caught.value.status == 500
    assert "ask the sender" in caught.value.hint
    assert not (tmp_path / "a.txt").exists()
