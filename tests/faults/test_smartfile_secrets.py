"""Secrets under every fault, with every logger at DEBUG: F44."""

from __future__ import annotations

import base64
import pickle
import stat
import traceback
from functools import partial
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer.errors import ServerError
from smartxfer.transport import RetryPolicy
from tests.support.amounts import spread
from tests.support.filesender_harness import noise
from tests.support.secret_scan import ALWAYS, FETCHING, SENDING, chain, check, check_all, errors_of, logged
from tests.support.smartfile_harness import CHECKSUM, DOWNLOAD, INFO, TASK, UPLOAD, SmartFileHarness

pytestmark = pytest.mark.slow

KEY = "markedkey0123456789abcdefghijk"
PASSWORD = "markedpassword0123456789abcdef"
LINK_PASSWORD = "markedlinkpassword"
#: The pair as it travels.
BASIC = base64.b64encode(f"{KEY}:{PASSWORD}".encode()).decode()
DATA = noise(200_000)
POLICY = RetryPolicy(backoff=0, attempts=2, stall_window=0.2)
LINK = "POST /api/2/link/"

CASES = [(match, effect) for match in (INFO, DOWNLOAD, TASK) for effect in ALWAYS + FETCHING]
CASES += [(match, effect) for match in (CHECKSUM, LINK) for effect in ALWAYS + SENDING + FETCHING]
CASES += [(UPLOAD, effect) for effect in ALWAYS + SENDING]


FRESH = partial(SmartFileHarness, api_key=KEY, password=PASSWORD)


SECRETS = [KEY, PASSWORD, BASIC, LINK_PASSWORD]


def _run(harness: SmartFileHarness, api: Any) -> List[BaseException]:
    """Up, down, a tree and a link; the errors."""
    harness.file(DATA, "tree/b.bin")
    steps: List[Any] = [
        lambda: api.upload(harness.directory / "tree/b.bin", "/b.bin", checksum="md5"),
        lambda: api.upload_tree(harness.directory / "tree", "/t"),
        lambda: api.download("/there.bin", f"{harness.out}/"),
        lambda: api.create_link("/there.bin", password=LINK_PASSWORD),
        lambda: api.post("/user", username="bob", name="b", email="b@x.org", password=LINK_PASSWORD),
    ]
    return errors_of(*steps)


@pytest.mark.parametrize(("match", "effect"), spread(CASES))
def test_f44_a_key_and_its_password(harness: SmartFileHarness, log: Any, home: Path, match: str, effect: str) -> None:
    """Detect a URL, a header, a body or an answer that is shown as it is."""
    harness.site.write("/there.bin", DATA)
    fault = harness.fault(match, effect, times=1)
    api = harness.client(retry=POLICY, timeout=0.4)
    errors = _run(harness, api)
    assert fault.fired
    check_all(SECRETS, errors, log.records, [home, harness.out], [api, api.explain_credentials(), api.session])
    for journal in (home / "state").rglob("*.json"):
        assert stat.S_IMODE(journal.stat().st_mode) == 0o600


@pytest.mark.parametrize("code", [400, 403, 500, 502])
def test_f44_the_answer_that_an_error_carries(harness: SmartFileHarness, log: Any, code: int) -> None:
    """Detect an answer that is quoted as it came, a pickle that keeps it, or a pair that is known in clear only."""
    body = f'{{"detail": "no {BASIC}", "src": ["{KEY}"], "{PASSWORD}": 1, "error": {{"x": "{PASSWORD}"}}}}'
    harness.site.write("/there.bin", DATA)
    answer = harness.file(body.encode("ascii"), "answer")
    harness.fault(UPLOAD, f"status {code} 'body=file:{answer}'", times=1 if code < 500 else 2)
    errors = _run(harness, harness.client(retry=POLICY))
    assert errors
    check_all(SECRETS, [], log.records)
    for error in errors:
        check([KEY, PASSWORD], "a traceback", "".join(traceback.format_exception(type(error), error, error.__traceback__)))
        for link in chain(error):
            check(SECRETS, "an error", f"{link} {link!r} {pickle.dumps(link).decode('latin-1')}")


def test_f44_links_are_secrets(harness: SmartFileHarness, log: Any) -> None:
    """The uid is enough to download the file."""
    harness.site.write("/there.bin", DATA)
    api = harness.client()
    link = api.create_link("/there.bin")
    check([link.uid], "a repr", repr([link, api.links()]))
    harness.fault("DELETE /api/2/link/*", "status 500", times=6)
    with pytest.raises(ServerError):
        api.delete_link(link)
    check([link.href], "the log", logged(log.records))
