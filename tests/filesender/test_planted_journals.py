"""Journals that name another user's transfer, or hold other values than a run writes."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from smartxfer import FileSenderClient, RetryPolicy, UserAuth
from smartxfer.errors import NetworkError
from smartxfer.filesender.models import Transfer
from smartxfer.filesender.upload_journal import ResumableTransfer, get_ownership_mismatch, get_sent_ranges
from smartxfer.transfer.journal import state_directory
from smartxfer.transfer.local_files import collect_files

ONCE = RetryPolicy(attempts=1)
BOB = {"recipients": ["bob@example.net"]}
CHUNKS = "PUT /rest.php/file/*/chunk/*"
DATA_DIRECTORY = Path(__file__).parent.parent / "data"


def break_off(harness: Any, path: Path, **options: Any) -> None:
    harness.fault(CHUNKS, "reset-before", after=3)
    with pytest.raises(NetworkError):
        harness.client(retry=ONCE, concurrent_chunks=1).upload_workflow([path], BOB, **options)


def changed(**values: Any) -> Dict[str, Any]:
    """Change the journal; return its state."""
    (path,) = (state_directory() / "journals").glob("*.json")
    found: Dict[str, Dict[str, Any]] = json.loads(path.read_text())
    found["state"].update(values)
    path.write_text(json.dumps(found))
    return found["state"]


USERS = {"ann@example.org": "key-of-ann-000001", "eve@example.org": "key-of-eve-000002"}


@pytest.fixture(params=[(), ("ann@example.org",)], ids=["user", "administrator"])
def planted(site_with: Any, make: Any, request: pytest.FixtureRequest) -> Tuple[Any, Path, int]:
    """A site and a file of Ann, whose journal names the transfer that Eve made for the same file; the id of that."""
    harness = site_with(users=USERS, admins=request.param)
    path = make("a.bin", 6 * harness.chunk)
    break_off(harness, path)
    made = harness.client(auth=UserAuth("eve@example.org", USERS["eve@example.org"]))._api.create_transfer(
        {**BOB, "from": "eve@example.org", "files": [{"name": "a.bin", "size": path.stat().st_size}], "options": {}}
    )
    [file] = made.files
    theirs = {"id": file.id, "transfer_id": made.id, "puid": file.key, "name": file.name, "size": file.size}
    changed(transfer={"id": made.id, "roundtriptoken": made.roundtriptoken, "files": [theirs]})
    return harness, path, made.id


@pytest.mark.parametrize("completing", [False, True])
def test_a_transfer_of_another_user_is_not_continued(
    planted: Tuple[Any, Path, int], caplog: pytest.LogCaptureFixture, completing: bool
) -> None:
    harness, path, number = planted
    changed(completing=completing, acknowledged={})
    before = harness.site.count(CHUNKS)
    assert harness.client().upload_workflow([path], BOB).id != number
    assert harness.site.count(CHUNKS) == before + 6
    [theirs] = [one for one in harness.site.transfers() if one["id"] == number]
    assert theirs["status"] in ("created", "started")
    assert harness.stored() == {"a.bin": path.read_bytes()}
    assert f"transfer {number} of the journal is not resumed" in caplog.text
    assert "belongs to another user (eve@example.org)" in caplog.text


def test_a_transfer_of_another_user_is_not_deleted(planted: Tuple[Any, Path, int], caplog: Any) -> None:
    harness, path, number = planted
    harness.client().upload_workflow([path], BOB, resume=False)
    assert number in [one["id"] for one in harness.site.transfers()]
    assert f"transfer {number} of the journal is not deleted" in caplog.text


@pytest.mark.parametrize("field", ["id", "puid", "size", "name"])
def test_a_journal_that_differs_from_the_site_is_not_continued(
    harness: Any, make: Any, field: str, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [make("a.bin", 6 * harness.chunk), make("b.bin", 10)]
    harness.fault("PUT /rest.php/file/1/chunk/*", "reset-before", after=3)
    with pytest.raises(Exception, match=r"a\.bin"):
        harness.client(retry=ONCE, concurrent_chunks=1, concurrent_files=1).upload_workflow(paths, BOB)
    noted = changed()["transfer"]
    noted["files"][1][field] = {"id": 77, "puid": "x", "size": 11, "name": "c.bin"}[field]
    changed(transfer=noted)
    harness.client().upload_workflow(paths, BOB)
    assert "differs" in caplog.text
    assert harness.stored() == {path.name: path.read_bytes() for path in paths}


@pytest.mark.parametrize("known", [True, False])
def test_an_own_transfer_is_continued(harness: Any, make: Any, known: bool) -> None:
    """And so it is if the site does not say who the user is."""
    path = make("a.bin", 6 * harness.chunk)
    break_off(harness, path)
    if not known:
        harness.fault("GET /rest.php/user/@me", "status 403 body=json:rest_ownership_required")
    [result] = harness.client().upload_workflow([path], BOB).results
    assert result.resumed == 3 * harness.chunk
    assert harness.site.count("GET /rest.php/user/@me") == 1


def captured(name: str, wanted: str) -> Any:
    """The last JSON body in a capture's section."""
    section = (DATA_DIRECTORY / name).read_text().split(f"=== {wanted}\n")[1].split("\n===")[0]
    return json.loads([line for line in section.splitlines() if line.startswith("{")][-1])


@pytest.mark.parametrize(("userid", "own"), [(None, True), (16, False)])
def test_what_running_sites_answered_tells_whose_a_transfer_is(userid: Any, own: bool) -> None:
    """Replays the answers of FileSender 3.8 (the transfer) and 2.67 (the user)."""
    transfer = captured("filesender-3.8.txt", "transfer can be asked while uploading")
    user = captured("filesender-2.67-wire.txt", "@me")
    if userid is not None:
        transfer["userid"] = userid
    client = FileSenderClient("https://fs.example.org", auth=UserAuth("ann@example.org", "k3y"))
    with responses.RequestsMock() as mock, client:
        mock.get("https://fs.example.org/rest.php/user/@me", json=user)
        reason = get_ownership_mismatch(client._api, Transfer.from_wire(transfer))
        assert "signature=" in str(mock.calls[0].request.url)
    assert reason == (None if own else "it belongs to another user (sender@example.org)")


# -- damaged ones ---------------------------------------------------------------------------------------


DAMAGED: List[Any] = [
    {"transfer": 5},
    {"transfer": "x"},
    {"transfer": [1]},
    {"transfer": {"id": "x"}},
    {"transfer": {"id": 1 << 62, "files": []}},
    {"transfer": {"id": 1, "files": []}},
    {"transfer": {"id": 1, "files": [5]}},
    {"transfer": {"id": -1, "files": [{"id": 1, "puid": "x", "name": "a.bin", "size": 1}]}},
    {"transfer": {"id": 1, "files": [{"id": 1, "name": "a.bin", "size": 1}]}},
    {"chunk_size": "many", "acknowledged": {"a.bin": [0, 1]}},
    {"chunk_size": None, "acknowledged": {"a.bin": [0, 1]}},
    {"acknowledged": 5},
    {"acknowledged": {"a.bin": 5}},
    {"acknowledged": {"a.bin": {"0": 1}}},
    {"acknowledged": {"a.bin": [[0], ["0", "9"], [0, 1 << 62], [0.0, 9.0], [None, 5], "xy", [-9, 5], 1 << 62, True]}},
]


@pytest.mark.parametrize("values", DAMAGED, ids=lambda value: json.dumps(value)[:60])
def test_a_damaged_journal_costs_the_resume_only(
    harness: Any, make: Any, values: Dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    path = make("a.bin", 6 * harness.chunk)
    break_off(harness, path)
    changed(**values)
    harness.client().upload_workflow([path], BOB)
    assert harness.stored() == {"a.bin": path.read_bytes()}
    assert "the journal is damaged" in caplog.text


@pytest.mark.parametrize("values", [{"transfer": 5}, {"transfer": {"id": []}}], ids=lambda value: json.dumps(value)[:60])
def test_a_damaged_journal_is_dropped(harness: Any, make: Any, values: Dict[str, Any]) -> None:
    path = make("a.bin", 6 * harness.chunk)
    break_off(harness, path)
    changed(**values)
    harness.client().upload_workflow([path], BOB, resume=False)
    assert harness.stored() == {"a.bin": path.read_bytes()}


STATE = {"salt": "s", "check": "x", "chunk_size": 65536, "ivs": {"a.bin": "x"}}


@pytest.mark.parametrize(
    "encryption",
    [None, 5, {}]
    + [{**STATE, "salt": 5}, {**STATE, "check": 5}]
    + [{**STATE, "chunk_size": size} for size in ("65536", 1 << 62, 0)]
    + [{**STATE, "ivs": ivs} for ivs in ({}, {"a.bin": None}, ["a.bin"])],
    ids=lambda value: json.dumps(value)[:60],
)
def test_invalid_encryption_state_is_ignored(encryption: Any, caplog: pytest.LogCaptureFixture) -> None:
    files = [{"id": 1, "puid": "x", "name": "a.bin", "size": 1}]
    state = {"transfer": {"id": 1, "files": files}, "sealing": encryption}
    assert ResumableTransfer.from_journal(state, ["a.bin"]) is None
    assert "missing or invalid encryption state" in caplog.text
    assert ResumableTransfer.from_journal(state) is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["id", "files", "puid", "name", "size", "a.bin", "x"]), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["transfer", "completing", "sealing", "chunk_size", "acknowledged"]), JSON))
def test_no_value_of_a_journal_is_a_foreign_error(state: Dict[str, Any]) -> None:
    logging.disable(logging.CRITICAL)
    try:
        found = ResumableTransfer.from_journal(state, ["a.bin"])
        assert found is None or found.transfer.files
        [item] = collect_files([("a.bin", b"x" * 100)])
        for start, stop in get_sent_ranges(state, item):
            assert 0 <= start < stop <= 100
    finally:
        logging.disable(logging.NOTSET)
