"""The token and the signed addresses of a repository under every fault of an upload, every logger at DEBUG: F44."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from smartxfer.transport import RetryPolicy
from tests.support.amounts import spread
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import COMMIT, CONTENT, INIT, MIB, PART, STORAGE_PART, NRPHarness
from tests.support.secret_scan import ALWAYS, FETCHING, SENDING, check, error_text, errors_of, kept, logged

pytestmark = pytest.mark.slow

TOKEN = "markedtoken0123456789abcdefghijklmnopqrs"
#: The token, and what makes a presigned address one.
SECRETS = [TOKEN, re.compile(r"X-Amz-Signature=[^*]")]
STEP = 5 * MIB
DATA = noise(STEP + 1)
POLICY = RetryPolicy(backoff=0, attempts=2, stall_window=0.2)

CASES = [
    (match, effect)
    for match, effects in (
        (INIT, ALWAYS + SENDING + FETCHING),
        (CONTENT, ALWAYS + SENDING + FETCHING),
        (COMMIT, ALWAYS + FETCHING),
        (PART, ALWAYS + SENDING + FETCHING),
        (STORAGE_PART, [effect for effect in ALWAYS if "html" not in effect] + SENDING),
    )
    for effect in effects
]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dict[str, NRPHarness]]:
    with NRPHarness(tmp_path_factory.mktemp("local"), users={"ann": TOKEN}) as local:
        with NRPHarness(tmp_path_factory.mktemp("s3"), users={"ann": TOKEN}, storage="s3") as storing:
            yield {"local": local, "s3": storing}


@pytest.fixture
def harness(request: pytest.FixtureRequest, servers: Dict[str, NRPHarness], tmp_path: Path) -> Iterator[NRPHarness]:
    name = request.node.name
    with servers["s3" if STORAGE_PART in name or "signed" in name else "local"].reuse(tmp_path) as harness:
        yield harness


def _run(harness: NRPHarness, api: Any, record: str) -> List[BaseException]:
    """In one piece, in parts, several; the errors."""
    path = harness.file(DATA)
    steps: List[Any] = [
        lambda: api.files.upload(record, "a.bin", {"title": "t"}, path),
        lambda: api.files.upload(record, "b.bin", None, path, "multipart", part_size=STEP),
        lambda: api.files.upload_many(record, [("c.bin", b"1"), ("d.bin", b"2")]),
    ]
    return errors_of(*steps)


@pytest.mark.parametrize(("match", "effect"), spread(CASES))
def test_f44_a_token(harness: NRPHarness, log: Any, home: Path, match: str, effect: str) -> None:
    """Detect a URL, a header, a body or an answer that is shown as it is."""
    record = harness.site.create()
    fault = harness.fault(match, effect, times=1)
    api = harness.client(retry=POLICY, timeout=0.4, token=TOKEN)
    errors = _run(harness, api, record)
    assert fault.fired
    check(SECRETS, "an error", "\n".join(map(error_text, errors)))
    check(SECRETS, "the log", logged(log.records))
    check(SECRETS, "a file", kept(home))
    check(SECRETS, "a repr", repr([api, api.explain_credentials(), api.session, api.files, api.files.list(record)]))
    for journal in (home / "state").rglob("*.json"):
        assert stat.S_IMODE(journal.stat().st_mode) == 0o600


@pytest.mark.parametrize("code", [400, 403, 500, 502])
@pytest.mark.parametrize("match", [INIT, CONTENT, COMMIT, PART], ids=["init", "content", "commit", "part"])
def test_f44_a_server_that_repeats_the_request(harness: NRPHarness, log: Any, match: str, code: int) -> None:
    """Fails if an answer is quoted as it came."""
    record = harness.site.create()
    body = {"message": f"no Bearer {TOKEN}", "errors": [{"field": TOKEN, "messages": [TOKEN]}], TOKEN: 1}
    path = harness.file(json.dumps(body).encode(), "answer")
    harness.fault(match, f"status {code} 'body=file:{path}'", times=1 if code < 500 else 2)
    errors = _run(harness, harness.client(retry=POLICY, token=TOKEN, max_workers=1), record)
    if (match, code) != (INIT, 502):  # which is looked up
        assert errors
    check(SECRETS, "an error", "\n".join(map(error_text, errors)))
    check(SECRETS, "the log", logged(log.records))


def test_f44_signed_addresses_in_errors_of_storage(harness: NRPHarness, log: Any) -> None:
    """XML in which the address is repeated."""
    record = harness.site.create()
    xml = f"<Error><Code>SignatureDoesNotMatch</Code><StringToSign>{TOKEN} X-Amz-Signature=1</StringToSign></Error>"
    path = harness.file(xml.encode(), "answer")
    harness.fault(STORAGE_PART, f"status 400 'body=file:{path}'", times=2)
    errors = _run(harness, harness.client(retry=POLICY, token=TOKEN, max_workers=1), record)
    for error in errors:
        check([TOKEN], "an error", error_text(error))
    check([TOKEN], "the log", logged(log.records))
    with pytest.raises(AssertionError, match="a secret in the address"):
        check(SECRETS, "the address", "http://127.0.0.1/x?X-Amz-Signature=0")


def test_f44_what_an_answer_says_is_kept_apart(harness: NRPHarness) -> None:
    """Entries that errors carry show no signed addresses."""
    record = harness.site.create()
    signed = "http://127.0.0.1:1/x?X-Amz-Signature=marked"
    entry = {"key": "a.bin", "status": "pending", "errors": "no", "links": {"parts": [{"part": 1, "url": signed}]}}
    harness.answer(CONTENT, json.dumps(entry).encode())
    [error] = _run(harness, harness.client(retry=POLICY, token=TOKEN), record)
    check(SECRETS, "an error", f"{error} {error!r} {vars(error)!r}")
