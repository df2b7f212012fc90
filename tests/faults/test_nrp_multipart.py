"""Files that go up in parts, to the repository or to its storage: F02, F03, F08, F09, F12, F17, F24."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest
import requests

from smartxfer import errors
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import COMMIT, INIT, MIB, PART, STEP, NRPHarness, Polling

#: Two whole parts and a short one; and one whole part and a byte.
DATA = noise(2 * STEP + 1000)
SHORT = DATA[: STEP + 1]
SHARED = NRPHarness


# -- resets, refusals and lost answers ----------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["reset-before", "reset-after 256K", f"reset-after {STEP}", "lose-answer"])
def test_f02_one_part_is_sent_again(either: NRPHarness, effect: str) -> None:
    """F02, F03, F12: broken by the whole file again, by half a part, or by a part that is there twice."""
    fault = either.fault(either.part, effect, after=0 if effect.endswith(str(STEP)) else 1)
    steps: List[int] = []
    result = either.send_parts(DATA, progress=lambda event: steps.append(event.done)).result
    assert either.held() == {"a.bin": DATA}
    assert (fault.fired, result.retries, either.count(COMMIT)) == (1, 1, 1)
    assert either.count(either.part) == 4, "three parts, and one of them again"
    assert max(steps) == steps[-1] == len(DATA), "no more than all of it, ever"
    assert result.verified in ("md5", "multipart")


def test_f02_always_reset(either: NRPHarness) -> None:
    """Detect a commit although a part is missing: the repository would fill the gap with zeros."""
    fault = either.fault(either.part, "reset-before", times=6, after=2)
    path = either.file(DATA)
    with pytest.raises(errors.NetworkError, match="PUT http"):
        either.send_parts(path)
    assert (fault.fired, either.count(COMMIT), either.held()) == (6, 0, {})
    either.forget()
    assert either.send_parts(path).result.resumed == 2 * STEP
    assert either.held() == {"a.bin": DATA}


@pytest.mark.parametrize("effect", ["status 500", "status 502", "status 504", "status 503 retry-after=0"])
@pytest.mark.parametrize("times", [1, 5, 6])
def test_f08_passing_failures(either: NRPHarness, effect: str, times: int) -> None:
    """Six in a row are an error, and nothing is committed."""
    fault = either.fault(either.part, effect, times=times)
    with pytest.raises(errors.ServerError) if times == 6 else contextlib.nullcontext():
        either.send_parts(SHORT)
    assert (fault.fired, either.count(COMMIT)) == (times, 0 if times == 6 else 1)
    assert either.held() == ({} if times == 6 else {"a.bin": SHORT})


@pytest.mark.parametrize("code", [429, 503])
def test_f09_a_part_is_turned_away(harness: NRPHarness, code: int) -> None:
    clock = Polling()
    fault = harness.fault(PART, f"status {code} retry-after=2", after=1)
    file = harness.send_parts(SHORT, clock=clock, retry=RetryPolicy())
    assert (clock.waits, fault.fired, file.result.retries) == ([2.0], 1, 1)
    assert harness.held() == {"a.bin": SHORT}


@pytest.mark.parametrize("match", [INIT, COMMIT], ids=["init", "commit"])
@pytest.mark.parametrize("effect", ["lose-answer", "status 502"])
def test_f12_a_lost_answer(either: NRPHarness, match: str, effect: str) -> None:
    """Detect a second start of the same key, or parts that are sent to a file that is complete."""
    fault = either.fault(match, effect)
    either.send_parts(SHORT)
    assert (either.held(), fault.fired) == ({"a.bin": SHORT}, 1)
    assert either.count(match) == (1 if effect == "lose-answer" else 2)
    assert either.count(either.part) == 2, "each part went once"


# -- what a later run believes ------------------------------------------------------------------------------


def _broken_off(harness: NRPHarness) -> Path:
    """A run whose last part does not arrive; its file."""
    path = harness.file(DATA)
    fault = harness.fault(PART, "status 400", after=2)
    with pytest.raises(errors.SmartxferError):
        harness.send_parts(path)
    assert fault.fired >= 1
    assert harness.count(COMMIT) == 0
    harness.server.clear_faults()
    harness.forget()
    return path


def _rewrite(home: Path, change: Callable[[str], Optional[str]]) -> None:
    """Change the journal, which knows of two parts; remove it if nothing is left of it."""
    [journal] = (home / "state").rglob("*.json")
    text = journal.read_text("utf-8")
    assert set(json.loads(text)["state"]["parts"]) == {"0", "1"}
    changed = change(text)
    assert changed != text
    if changed is None:
        journal.unlink()
    else:
        journal.write_text(changed, "utf-8")


def _with_parts(text: str, change: Callable[[Any], Any]) -> str:
    whole = json.loads(text)
    change(whole["state"]["parts"])
    return json.dumps(whole)


#: What becomes of a journal, and how many parts are not sent again.
HARMS: Dict[str, Tuple[Callable[[str], Optional[str]], int]] = {
    "cut": (lambda text: text[: len(text) // 2], 0),
    "emptied": (lambda text: "", 0),
    "removed": (lambda text: None, 0),
    "of another version": (lambda text: text.replace('"version": 1', '"version": 99'), 0),
    "its last half second is lost": (lambda text: _with_parts(text, lambda parts: parts.pop("1")), 1),
}


@pytest.mark.parametrize("harm", HARMS)
def test_f24_a_journal_that_was_torn(harness: NRPHarness, home: Path, harm: str) -> None:
    """Detect a crash over it; what it cannot tell any more is sent again, and no more."""
    path = _broken_off(harness)
    change, kept = HARMS[harm]
    _rewrite(home, change)
    assert harness.send_parts(path).result.resumed == kept * STEP
    assert (harness.held(), harness.count(PART, 200)) == ({"a.bin": DATA}, 3 - kept)


def test_f24_a_journal_that_says_too_much(harness: NRPHarness, home: Path) -> None:
    """A part is noted that the repository has not: it fills the gap, and says so by another checksum."""
    path = _broken_off(harness)
    _rewrite(home, lambda text: _with_parts(text, lambda parts: parts.update({"2": [""]})))
    with pytest.raises(errors.ChecksumMismatch, match="differs from that of the local file"):
        harness.send_parts(path)
    assert harness.states() == {}, "what is complete in name only is deleted"
    assert harness.send_parts(path).result.resumed == 0
    assert harness.held() == {"a.bin": DATA}


@pytest.mark.parametrize("change", ["rewritten", "other parts", "other upload"])
def test_f17_parts_of_other_bytes_are_not_resumed(harness: NRPHarness, change: str) -> None:
    """Fails if one key gets parts of two files: of one that was rewritten, divided differently or started again."""
    path = _broken_off(harness)
    data, options = DATA, {}
    if change == "rewritten":
        data = noise(len(DATA), 2)
        path.write_bytes(data)
    elif change == "other parts":
        options = {"part_size": 6 * MIB, "replace": True}
    else:
        harness.client().files.delete(harness.draft, "a.bin")
        entry = {"key": "a.bin", "size": len(DATA), "transfer": {"type": "M", "parts": 3, "part_size": STEP}}
        url = f"{harness.url}/api/records/{harness.draft}/draft/files"  # as another client
        headers = {"Authorization": f"Bearer {harness.site.token}"}
        assert requests.post(url, json=[entry], headers=headers, timeout=10).status_code == 201
    assert harness.send_parts(path, **options).result.resumed == 0
    assert harness.held() == {"a.bin": data}


def test_f17_the_upload_is_aborted_between_two_parts(harness: NRPHarness) -> None:
    """Another client deletes the pending file: an error, and no other file is committed."""
    other = harness.client()
    fault = harness.fault(PART, "reset-before", after=1)

    def progress(event: Any) -> None:
        if event.state == "retrying":
            other.files.delete(harness.draft, "a.bin")

    with pytest.raises(errors.NotFound):
        harness.send_parts(harness.file(DATA), progress=progress)
    assert (fault.fired, harness.count("DELETE *", 204), harness.count(COMMIT)) == (1, 1, 0)
