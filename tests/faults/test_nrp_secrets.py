"""The token and the signed addresses of a repository under every fault, with every logger at DEBUG: F44."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from smartxfer.errors import ServerError
from smartxfer.nrp import get_client
from smartxfer.transport import RetryPolicy
from tests.support import nrp_harness as nrp
from tests.support import secret_scan as scan
from tests.support.amounts import spread
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import STEP, NRPHarness
from tests.support.secret_scan import ALWAYS, FETCHING, SENDING

pytestmark = pytest.mark.slow

TOKEN = "markedtoken0123456789abcdefghijklmnopqrs"
#: The token, and what makes a presigned address one.
SECRETS = [TOKEN, re.compile(r"X-Amz-Signature=[^*]")]
DATA = noise(STEP + 1)
SMALL = DATA[:200_000]
POLICY = RetryPolicy(backoff=0, attempts=2, stall_window=0.2)

DOWN = [(match, effect) for match in (nrp.DISCOVERY, nrp.LIST, nrp.ENTRY) for effect in ALWAYS + FETCHING]
DOWN += [(nrp.DOWNLOAD, effect) for effect in ALWAYS]
DOWN += [(nrp.STORAGE_GET, effect) for effect in ALWAYS + FETCHING if "{target}" not in effect or "bad" in effect]
UP = [(match, effect) for match in (nrp.INIT, nrp.CONTENT, nrp.PART) for effect in ALWAYS + SENDING + FETCHING]
UP += [(nrp.COMMIT, effect) for effect in ALWAYS + FETCHING]
UP += [(nrp.STORAGE_PART, effect) for effect in ALWAYS + SENDING if "html" not in effect]
CASES = [*(("down", *case) for case in spread(DOWN)), *(("up", *case) for case in spread(UP))]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dict[bool, NRPHarness]]:
    """A repository that keeps the parts of files itself, and one with a storage, which keeps whole files too."""
    with NRPHarness(tmp_path_factory.mktemp("local"), users={"ann": TOKEN}) as local:
        with NRPHarness(tmp_path_factory.mktemp("s3"), users={"ann": TOKEN}, storage="s3") as storing:
            yield {False: local, True: storing}


@pytest.fixture
def way() -> str:
    """The direction of a test that has one only."""
    return "down"


@pytest.fixture
def match() -> str:
    return nrp.API


@pytest.fixture
def harness(way: str, match: str, servers: Dict[bool, NRPHarness], tmp_path: Path) -> Iterator[NRPHarness]:
    with servers[way == "down" or match == nrp.STORAGE_PART].reuse(tmp_path) as harness:
        yield harness


def _run(harness: NRPHarness, api: Any, way: str) -> List[BaseException]:
    """One file, several, a raw answer, parts; the errors."""
    files = api.files
    harness.out.mkdir(exist_ok=True)
    if way == "down":
        record = harness.record(SMALL, published=True)
        return scan.errors_of(
            lambda: files.download(record, "a.bin", harness.out / "one"),
            lambda: files.download_many(record, harness.out),
            lambda: api.get(f"records/{record}/files/a.bin/content").read(),
        )
    path, draft = harness.file(DATA), harness.draft
    return scan.errors_of(
        lambda: files.upload(draft, "a.bin", {"title": "t"}, path),
        lambda: files.upload(draft, "b.bin", None, path, "multipart", part_size=STEP),
        lambda: files.upload_many(draft, [("c.bin", b"1"), ("d.bin", b"2")]),
    )


def _secrets(harness: NRPHarness) -> List[Any]:
    """The token, and the signatures of the signed addresses that were issued."""
    found = {target.partition("X-Amz-Signature=")[2][:64] for target in harness.targets("* /storage/*")}
    return [*SECRETS, *sorted(found - {""})]


@pytest.mark.parametrize(("way", "match", "effect"), CASES)
def test_f44_a_token(harness: NRPHarness, log: Any, home: Path, way: str, match: str, effect: str) -> None:
    """Detect a URL, a header, a body or an answer that is shown as it is."""
    fault = harness.fault(match, effect)
    api = harness.client(retry=POLICY, timeout=0.4)
    errors = _run(harness, api, way)
    assert fault.fired
    shown = [api, api.explain_credentials(), api.session, api.files, api.files.list(harness.draft)]
    scan.check_all(_secrets(harness), errors, log.records, [home, harness.out], shown)
    for journal in (home / "state").rglob("*.json"):
        assert stat.S_IMODE(journal.stat().st_mode) == 0o600


REPEATING = [("down", match) for match in (nrp.LIST, nrp.DOWNLOAD, nrp.STORAGE_GET)]
REPEATING += [("up", match) for match in (nrp.INIT, nrp.CONTENT, nrp.COMMIT, nrp.PART)]


@pytest.mark.parametrize("code", [400, 403, 500, 502])
@pytest.mark.parametrize(("way", "match"), REPEATING)
def test_f44_a_server_that_repeats_the_request(harness: NRPHarness, log: Any, way: str, match: str, code: int) -> None:
    """Fails if an answer is quoted, or kept in an error, as it came."""
    body = {"message": f"no Bearer {TOKEN}", "errors": [{"field": TOKEN, "messages": [TOKEN]}], TOKEN: 1}
    answer = harness.file(json.dumps(body).encode(), "answer")
    times = None if way == "down" else 1 if code < 500 else 2
    harness.fault(match, f"status {code} 'body=file:{answer}'", times=times)
    errors = _run(harness, harness.client(retry=POLICY, max_workers=1), way)
    assert errors or (match, code) == (nrp.INIT, 502)  # which is looked up
    scan.check_all(SECRETS, errors, log.records)


@pytest.mark.parametrize(("way", "match"), [("up", nrp.STORAGE_PART)])
def test_f44_signed_addresses_in_errors_of_storage(harness: NRPHarness, log: Any, way: str, match: str) -> None:
    """XML in which the address is repeated."""
    xml = f"<Error><Code>SignatureDoesNotMatch</Code><StringToSign>{TOKEN} X-Amz-Signature=1</StringToSign></Error>"
    harness.fault(match, f"status 400 'body=file:{harness.file(xml.encode(), 'answer')}'", times=2)
    errors = _run(harness, harness.client(retry=POLICY, max_workers=1), way)
    scan.check_all([TOKEN], errors, log.records)
    with pytest.raises(AssertionError, match="a secret in the address"):
        scan.check(SECRETS, "the address", "http://127.0.0.1/x?X-Amz-Signature=0")


@pytest.mark.parametrize("way", ["up"])
def test_f44_what_an_answer_says_is_kept_apart(harness: NRPHarness, way: str) -> None:
    """Entries that errors carry show no signed addresses."""
    signed = "http://127.0.0.1:1/x?X-Amz-Signature=marked"
    entry = {"key": "a.bin", "status": "pending", "errors": "no", "links": {"parts": [{"part": 1, "url": signed}]}}
    harness.answer(nrp.CONTENT, json.dumps(entry).encode())
    [error] = _run(harness, harness.client(retry=POLICY), way)
    scan.check(SECRETS, "an error", f"{error} {error!r} {vars(error)!r}")


def test_f44_a_token_of_nrp_cmds_file(harness: NRPHarness, log: Any, home: Path) -> None:
    """Read, never written, never shown."""
    config = home / "invenio-config.json"
    entry = {"alias": "local", "url": harness.url, "token": TOKEN, "verify_tls": True, "enabled": True}
    config.write_text(json.dumps({"default_alias": "local", "repositories": [entry]}), "utf-8")
    before = (config.read_bytes(), config.stat().st_mode, home.stat().st_mode)
    record = harness.record(SMALL)
    harness.fault(nrp.LIST, "status 500", times=2)
    with get_client(alias="local", config_path=config, retry=POLICY) as api:
        with pytest.raises(ServerError) as caught:
            api.files.list(f"{harness.url}/api/records/{record}/draft")
        assert api.files.list(record)[0].key == "a.bin"
        scan.check_all([TOKEN], [caught.value], log.records, shown=[api, api.explain_credentials()])
    assert (config.read_bytes(), config.stat().st_mode, home.stat().st_mode) == before


def test_f44_side_files_hold_no_secret(harness: NRPHarness, home: Path) -> None:
    """Detect an address, signature and all, that tells the object from others."""
    harness.fault(nrp.STORAGE_GET, "truncate 1000")
    assert _run(harness, harness.client(retry=RetryPolicy(attempts=1)), "down")
    assert [path.name for path in harness.out.rglob("*.part.json")] == ["one.part.json"]
    assert len(_secrets(harness)) > len(SECRETS), "the look-out itself"
    scan.check(["X-Amz-", *_secrets(harness)], "a file", scan.kept(home, harness.out))


def test_f44_structures_show_no_address_that_is_signed(harness: NRPHarness) -> None:
    api = harness.client()
    file = api.files.read(harness.record(SMALL), "a.bin")
    scan.check([TOKEN, "X-Amz-Signature"], "a repr", f"{file!r} {file.links!r} {api.repository!r}")
