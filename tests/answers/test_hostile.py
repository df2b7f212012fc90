"""Each call with arbitrary responses raises a smartxfer error or returns a usable result."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import pytest

from smartxfer import RetryPolicy
from smartxfer.errors import DecodeError, NotFound
from tests.support.altered_responses import AlteredResponses, Change, Clock, every
from tests.support.canned_calls import TABLES, jetstream, nrp, smartfile

#: By service: of how many values one is tried.
USUAL = {"filesender": 19, "smartfile": 29, "nrp": 61, "perseus": 7, "jetstream": 41}


def make(service: str, method: str) -> Any:
    """Make the call with a client of its own; the vendor's waits get an end."""
    table = TABLES[service]

    def run(harness: AlteredResponses) -> Any:
        with table.client(retry=RetryPolicy(attempts=1), clock=Clock()) as client:
            if method.startswith("send.waitFor"):
                id_ = jetstream.MANIFEST if method == "send.waitForManifest" else jetstream.TRANSFER
                return getattr(client.send, method.rpartition(".")[2])(id_, timeout=60)
            if method == "server.getRequestResult":
                return client.server.getRequestResult(10**9, timeout=60)
            return table.call(client, method, harness.directory)

    return run


@pytest.mark.parametrize(
    ("service", "method"), [(service, method) for service, table in TABLES.items() for method in sorted(table.rows)]
)
@pytest.mark.filterwarnings("ignore::smartxfer.nrp.DraftWarning")
def test_an_error_of_ours_or_a_result(harness: AlteredResponses, service: str, method: str) -> None:
    assert harness.run(service, method, make(service, method), every(USUAL[service])) == []


# -- what is refused, and by which words ----------------------------------------------------------------------

#: The calls and the beginnings of the requests whose responses are changed -> where, by what, what the error says.
Refused = Dict[Tuple[str, str], List[Tuple[Any, ...]]]
_GET, _PUT, _POST = "GET /rest.php/transfer/42", "PUT /rest.php/transfer/42", "POST /rest.php/transfer"
FILESENDER: Refused = {
    ("transfers.get", _GET): [
        (("id",), 43), (("id",), True), (("files",), "text"), (("files", 0, "size"), -1), (("files", 0, "size"), 1 << 63),
    ],
    ("update_transfer", _PUT): [(("id",), 43)],
    ("create_transfer", _POST): [((), []), (("id",), "4_2")],
    ("create_guest", "POST /rest.php/guest"): [(("id",), None)],
    ("get_server_info", "GET /rest.php/info"): [
        (("upload_chunk_size",), value) for value in ("5e6", "@infinite@", "@NaN@", "@long@")
    ],
    ("upload_file", "PUT /rest.php/file/107/chunk/0"): [(("written",), "@infinite@")],
}
_INFO, _CHILD, _SUMS = "GET /api/2/path/info", ("children", 0, "path"), ("result", "result", "checksums")
SMARTFILE: Refused = {
    ("stat", _INFO): [(("path",), "/docs/other.csv"), (("size",), -1), (("size",), 10**30), (("tags",), "abc")],
    ("exists", _INFO): [(("path",), "/docs/other.csv")],
    ("listdir", _INFO): [
        (_CHILD, "/etc/passwd"), (_CHILD, "/docs"), (_CHILD, "/docs/a/b"), (("children",), {}), (("pages",), "many"),
        (("pages",), None),
    ],
    ("mkdir", "POST /api/2/path/oper/mkdir"): [(("path",), "/other")],
    ("copy", "POST /api/2/path/oper/copy"): [(("uuid",), "")],
    ("copy", "GET /api/2/task"): [(("uuid",), "another")],
    ("wait", "GET /api/2/task"): [(("uuid",), "another")],
    ("checksum", "GET /api/2/task"): [
        (_SUMS, []), (_SUMS, {smartfile.PATH: None}), (_SUMS, {smartfile.PATH: "no hex"}), (_SUMS, {"/other": "00"}),
    ],
    ("links", "GET /api/2/link"): [(("results",), 5), (("results",), {"a": 1}), (("pages",), "many")],
    ("create_link", "POST /api/2/link"): [((), [])],
}
#: Of NRP, the requests are named by their ends.
_FILE = f"/files/{nrp.KEY}"
NRP: Refused = {
    ("files.read", _FILE): [(("key",), "another.bin"), (("size",), -1), (("size",), 10**30)],
    **{(f"files.{call}", _FILE): [(("key",), "another.bin")] for call in ("update", "wait_fetch", "download")},
    ("files.list", "/files"): [
        (("entries",), {"a": 1}), (("entries",), 5), (("entries", 0), None), (("entries", 0, "key"), 5),
    ],
    ("records.read", f"/records/{nrp.ID}"): [(("id",), [1]), ((), [])],
    ("records.search", "/records"): [
        (("hits",), []), (("hits", "hits"), {}), (("hits", "hits", 0), "text"), (("links",), {"next": 5}),
        (("aggregations",), [1]),
    ],
}
_CREATE, _FIND = "POST /api/v0/file", "POST /api/v0/file/find"
_OTHER_HASH = (("files", 0, "sourceHash"), "0" * 64)
PERSEUS: Refused = {
    ("file.create_file", _CREATE): [
        (("file", "id"), ""), (("file", "id"), 5), (("file",), []), (("file", "sourceHash"), "0" * 64),
        (("uploadUrl",), ["http://127.0.0.1/"]), (("uploadUrl",), 5),
    ],
    ("file.find_files", _FIND): [(("files",), {}), (("files",), None), (("files", 0), "f1"), _OTHER_HASH],
    ("file.exists", _FIND): [_OTHER_HASH],
    ("file.sync_dir", _FIND): [_OTHER_HASH],
}


def another(*fields: str) -> List[Tuple[Any, ...]]:
    """Return changes to another id, and the errors that name the field."""
    return [((field,), "another", f"another {field}") for field in fields]


_PORT = (("destinationPort",), 1, "another destinationPort")
JETSTREAM: Refused = {
    ("du", "getRequestResult"): [((), value, "duAsync") for value in ("1091", [], None, -1, 1.5, True, {}, 10**30)],
    ("server.echo", "echo"): [((), value, "echo") for value in ("other", None, ["ACGT"], {})],
    ("ls", "getRequestResult"): [((), value, "lsAsync") for value in ("text", 5, True)],
    ("ls_roots", "getRequestResult"): [((), value, "lsRootsAsync") for value in ("text", {}, 5)],
    ("sources", "getRequestResult"): [((), value, "getSourcesAsync") for value in ("text", {}, [5], [None])],
    ("receiving", "getRequestResult"): [((), value, "getTransfersAsync") for value in ("text", [{}], [[]])],
    ("send.getTransfer", "send.getTransfer"): another("transferId"),
    ("send.getManifest", "send.getManifest"): another("manifestId"),
    ("send.getDestination", "send.getDestination"): another("destinationId"),
    ("send.getConnection", "send.getConnection"): another("connectionId"),
    ("send.getSharedToken", "send.getSharedToken"): another("token"),
    ("server.getAPIToken", "getAPIToken"): another("token"),
    ("server.getRequestStatus", "getRequestStatus"): [
        (("requestId",), 999, "another requestId"), ((), {}, "processing"),
    ],
    ("send.waitForTransfer", "send.waitForTransfer"): [
        *another("transferId"), ((), {"transferId": "17"}, "processing"),
    ],
    ("send.waitForManifest", "send.waitForManifest"): another("manifestId"),
    ("send.createTransfer", "send.createTransfer"): [
        *another("manifestId", "destinationId"), (("transferId",), "", "empty transfer_id"),
    ],
    ("send.createDestination", "send.createDestination"): [_PORT],
    ("send.createSharedToken", "send.createSharedToken"): [*another("manifestId"), (("token",), "", "empty token")],
    ("send.createManifest", "send.createManifest"): [(("manifestId",), "", "empty manifest_id")],
    ("send_files", "send.waitForManifest"): another("manifestId"),
    ("send_files", "send.createTransfer"): another("manifestId", "destinationId"),
    ("send_files", "send.createDestination"): [_PORT],
    ("send_files", "send.waitForTransfer"): [
        *another("transferId", "manifestId"), (("totalBytes",), -1, "below 0"), (("blocksAcked",), 10**30, "too large"),
    ],
    ("share", "send.createSharedToken"): another("manifestId"),
    ("wait_all", "send.waitForTransfer"): another("transferId"),
    ("send.getTransfers", "send.getTransfers"): [
        ((), {"transferId": "17"}, "send.getTransfers"), ((0,), "17", "send.getTransfers"),
    ],
    ("send.getManifestFiles", "send.getManifestFiles"): [((), "text", "send.getManifestFiles")],
    ("server.getServerInfo", "getServerInfo"): [((), [], "getServerInfo")],
    ("server.lsAsync", "lsAsync"): [(("requestId",), "first", "lsAsync")],
}


def rows(service: str, refused: Refused) -> List[Any]:
    return [
        pytest.param(service, *call, change, id=f"{service} {call[0]} {'.'.join(map(str, change[0]))} {change[1]!r:.20}")
        for call, changes in refused.items()
        for change in changes
    ]


@pytest.mark.parametrize(
    ("service", "method", "request_", "change"),
    [
        *rows("filesender", FILESENDER), *rows("smartfile", SMARTFILE), *rows("nrp", NRP),
        *rows("perseus", PERSEUS), *rows("jetstream", JETSTREAM),
    ],
)
def test_refused(harness: AlteredResponses, service: str, method: str, request_: str, change: Any) -> None:
    path, value, *says = change
    label = request_
    if service in ("smartfile", "nrp"):
        _, seen = harness.call(service, method, make(service, method))
        if service == "smartfile":
            label = next(known for known in seen if known.startswith(request_))
        else:
            label = [known for known in seen if known.endswith(request_)][-1]
    elif service != "jetstream":
        says = [request_.split(" ")[1]]
    with pytest.raises(DecodeError, match=says[0] if says else None):
        harness.call(service, method, make(service, method), Change(label, path, value))


def test_a_record_of_another_id_is_not_the_one_that_was_asked_for(harness: AlteredResponses) -> None:
    change = Change(_FIND, ("files", 0, "id"), "another")
    assert harness.call("perseus", "file.find_file", make("perseus", "file.find_file"), change)[0] is None
    wait = "file.wait_for_file_upload"
    with pytest.raises(NotFound):
        harness.call("perseus", wait, make("perseus", wait), change)


@pytest.mark.parametrize("value", ["../../x", "\ud800", "a b", "x:99999999", "a@b"], ids=ascii)
def test_an_invalid_external_address(harness: AlteredResponses, value: str) -> None:
    """The link names the server by the address of this connection."""
    change = Change("getServerInfo", ("serverExternalAddress",), value)
    shared, _ = harness.call("jetstream", "share", make("jetstream", "share"), change)
    assert shared.link == f"jetstream://jetstream.example.org/download?token={jetstream.TOKEN}"


@pytest.mark.parametrize("value", [10**30, -(10**30), 1 << 63, 10**99])
def test_a_time_out_of_range_is_none(harness: AlteredResponses, value: int) -> None:
    change = Change("send.getTransfer", ("endTime",), value)
    transfer, _ = harness.call("jetstream", "send.getTransfer", make("jetstream", "send.getTransfer"), change)
    assert (transfer.ended_at, transfer.end_time) == (None, value)
