"""The token and signed addresses under every fault of a download, with every logger at DEBUG: F44."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from smartxfer.errors import ServerError
from smartxfer.nrp import get_client
from smartxfer.transport import RetryPolicy
from tests.support.amounts import spread
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import DISCOVERY, DOWNLOAD, ENTRY, LIST, STORAGE_GET, NRPHarness
from tests.support.secret_scan import ALWAYS, FETCHING, check, error_text, errors_of, kept, logged

pytestmark = pytest.mark.slow

TOKEN = "markedtoken0123456789abcdefghijklmnopqrs"
DATA = noise(200_000)
POLICY = RetryPolicy(backoff=0, attempts=2, stall_window=0.2)

CASES = [(match, effect) for match in (DISCOVERY, LIST, ENTRY) for effect in ALWAYS + FETCHING]
CASES += [("GET /api/records/*/content", effect) for effect in ALWAYS]
CASES += [(STORAGE_GET, effect) for effect in ALWAYS + FETCHING if "{target}" not in effect or "bad" in effect]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NRPHarness]:
    with NRPHarness(tmp_path_factory.mktemp("secrets"), users={"ann": TOKEN}, storage="s3") as harness:
        yield harness


@pytest.fixture
def harness(server: NRPHarness, tmp_path: Path) -> Iterator[NRPHarness]:
    """The same server for all; a directory of one's own, and faults that are counted for each test."""
    server.directory, server.out = tmp_path, tmp_path / "out"
    yield server
    unfired = server.server.unfired()
    server.server.clear_faults()
    assert not unfired, f"planned, but never seen: {unfired}"


def _signatures(harness: NRPHarness) -> List[str]:
    """Return the signatures of the signed addresses that were issued."""
    found = {target.partition("X-Amz-Signature=")[2][:64] for target in harness.targets("* /storage/*")}
    return sorted(found - {""})


def _run(harness: NRPHarness, api: Any, record: str) -> List[BaseException]:
    """One file, all of them, a raw answer; the errors."""
    steps: List[Any] = [
        lambda: api.files.download(record, "a.bin", harness.out / "one"),
        lambda: api.files.download_many(record, harness.out),
        lambda: api.get(f"records/{record}/files/a.bin/content").read(),
    ]
    harness.out.mkdir(exist_ok=True)
    return errors_of(*steps)


@pytest.mark.parametrize(("match", "effect"), spread(CASES))
def test_f44_a_token_and_signed_addresses(harness: NRPHarness, log: Any, home: Path, match: str, effect: str) -> None:
    """Detect a URL, a header, a body or an answer that is shown as it is."""
    record = harness.record(DATA, published=True)
    harness.fault(match, effect)
    api = harness.client(retry=POLICY, timeout=0.4)
    errors = _run(harness, api, record)
    secrets = [TOKEN, *_signatures(harness)]
    assert len(secrets) > 1, "the look-out itself"
    check(secrets, "an error", "\n".join(map(error_text, errors)))
    check(secrets, "the log", logged(log.records))
    check(secrets, "a file", kept(home, harness.out))
    check(secrets, "a repr", repr([api, api.explain_credentials(), api.session, api.files]))


@pytest.mark.parametrize("code", [400, 403, 500, 502])
@pytest.mark.parametrize("match", [LIST, DOWNLOAD, STORAGE_GET])
def test_f44_a_server_that_repeats_the_request(harness: NRPHarness, log: Any, match: str, code: int) -> None:
    """Fails if an answer is quoted, or kept in an error, as it came."""
    record = harness.record(DATA)
    body = {"message": f"no Bearer {TOKEN}", "errors": [{"field": TOKEN, "messages": [TOKEN]}], TOKEN: 1}
    answer = harness.file(json.dumps(body).encode(), "answer")
    harness.fault(match, f"status {code} 'body=file:{answer}'", times=None)
    errors = _run(harness, harness.client(retry=POLICY), record)
    assert errors
    check([TOKEN], "an error", "\n".join(map(error_text, errors)))
    check([TOKEN], "the log", logged(log.records))


def test_f44_a_token_of_nrp_cmds_file(harness: NRPHarness, log: Any, home: Path) -> None:
    """Read, never written, never shown."""
    config = home / "invenio-config.json"
    entry = {"alias": "local", "url": harness.url, "token": TOKEN, "verify_tls": True, "enabled": True}
    config.write_text(json.dumps({"default_alias": "local", "repositories": [entry]}), "utf-8")
    before = (config.read_bytes(), config.stat().st_mode, home.stat().st_mode)
    record = harness.record(DATA)
    harness.fault(LIST, "status 500", times=2)
    with get_client(alias="local", config_path=config, retry=POLICY) as api:
        with pytest.raises(ServerError) as caught:
            api.files.list(f"{harness.url}/api/records/{record}/draft")
        assert api.files.list(record)[0].key == "a.bin"
        check([TOKEN], "a repr", repr([api, api.explain_credentials()]))
    check([TOKEN], "an error", error_text(caught.value))
    check([TOKEN], "the log", logged(log.records))
    assert (config.read_bytes(), config.stat().st_mode, home.stat().st_mode) == before


def test_f44_side_files_hold_no_secret(harness: NRPHarness, home: Path) -> None:
    """Detect an address, signature and all, that tells the object from others."""
    record = harness.record(DATA)
    harness.fault(STORAGE_GET, "truncate 1000")
    errors = _run(harness, harness.client(retry=RetryPolicy(attempts=1)), record)
    assert errors
    assert [path.name for path in harness.out.rglob("*.part.json")] == ["one.part.json"]
    check([TOKEN, "X-Amz-", *_signatures(harness)], "a file", kept(home, harness.out))


def test_f44_structures_show_no_address_that_is_signed(harness: NRPHarness) -> None:
    api = harness.client()
    file = api.files.read(harness.record(DATA), "a.bin")
    check([TOKEN, "X-Amz-Signature"], "a repr", f"{file!r} {file.links!r} {api.repository!r}")
