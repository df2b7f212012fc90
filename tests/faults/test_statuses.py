"""Answers that say no, later or never, to each step of each service: F08 to F11."""

from __future__ import annotations

import contextlib
import pickle
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from smartxfer import errors
from smartxfer.errors import ServerError
from smartxfer.transport import RetryPolicy
from tests.support.contract.services import SERVICES
from tests.support.service_harness import Polling, ServiceHarness
from tests.support.workflows import STEPS, Step, Workflow

every_step = pytest.mark.parametrize("step", STEPS, ids=str)
each_code = pytest.mark.parametrize("code", [429, 503])


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dict[Any, ServiceHarness]]:
    """One server for each kind of workflow, started when it is first needed."""
    with contextlib.ExitStack() as stack:

        class Started(Dict[Any, ServiceHarness]):
            def __missing__(self, start: Any) -> ServiceHarness:
                self[start] = stack.enter_context(start(tmp_path_factory.mktemp("server")))
                return self[start]

        yield Started()


@pytest.fixture
def workflow(step: Step, servers: Dict[Any, ServiceHarness], tmp_path: Path) -> Iterator[Workflow]:
    """The workflow of the step."""
    kind = step.workflow
    with servers[kind.start].reuse(tmp_path) if kind.shared else kind.start(tmp_path) as harness:
        yield kind(harness)


def test_no_service_is_left_out() -> None:
    assert {step.service for step in STEPS} == {service.name for service in SERVICES}


PASSING = ["500", "502", "502 body=html", "504"]
REPEATED = [
    pytest.param(step, answer, id=f"{step}-{answer}")
    for step in STEPS
    for answer in PASSING
    if int(answer[:3]) in step.repeated
]


@pytest.mark.parametrize("times", [1, 5])
@pytest.mark.parametrize(("step", "answer"), REPEATED)
def test_f08_passes_within_the_tries(step: Step, workflow: Workflow, answer: str, times: int) -> None:
    fault = workflow.harness.fault(step.match, f"status {answer}", times=times)
    result = workflow.run()
    workflow.check()
    assert fault.fired == times
    if step.counted:
        assert workflow.retries(result) == times


@pytest.mark.parametrize(("step", "answer"), REPEATED)
def test_f08_six_times(step: Step, workflow: Workflow, answer: str) -> None:
    """Detect a seventh try, an error without its request, or a rest of the run that hinders the next one."""
    fault = workflow.harness.fault(step.match, f"status {answer}", times=6)
    with pytest.raises(step.error(ServerError)) as caught:
        workflow.run()
    error: Any = caught.value
    assert (fault.fired, error.status, error.method) == (6, int(answer[:3]), step.match.split()[0])
    assert error.url.startswith("http://127.0.0.1:")
    workflow.check_nothing()
    workflow.run()
    workflow.check()


@pytest.mark.parametrize("step", [step for step in STEPS if step.repeated], ids=str)
def test_f08_six_times_with_words(step: Step, workflow: Workflow) -> None:
    """Fails if an error does not say what the server said."""
    answer, word = step.words
    workflow.harness.fault(step.match, f"status {answer}", times=6 if int(answer[:3]) in step.repeated + (503,) else 1)
    with pytest.raises(step.error(ServerError), match=word) as caught:
        workflow.run()
    error: Any = pickle.loads(pickle.dumps(caught.value))
    assert error.status == int(answer[:3])
    assert word in str(error)
    workflow.check_nothing()


@pytest.mark.parametrize(("step", "answer"), REPEATED)
def test_f10_retry_after_means_nothing_elsewhere(step: Step, workflow: Workflow, answer: str) -> None:
    """Fails if the client waits for the rest of the window: every response of a real server has the header."""
    clock = Polling()
    fault = workflow.harness.fault(step.match, f"status {answer} retry-after=50")
    workflow.run(clock=clock, retry=RetryPolicy())
    workflow.check()
    assert fault.fired == 1
    assert max(clock.waits, default=0.0) <= 0.5


@every_step
@each_code
def test_f09_turned_away_twice(step: Step, workflow: Workflow, code: int) -> None:
    """Detect a body that is not rewound, an own measure, or what is not repeated though the server did nothing."""
    clock = Polling()
    fault = workflow.harness.fault(step.match, f"status {code} retry-after=7", times=2)
    workflow.run(clock=clock, retry=RetryPolicy())
    workflow.check()
    assert (clock.waits, fault.fired) == ([7.0, 7.0], 2)


#: Retry-After, and the least and the most that is waited.
WAITS = {
    "date+3": (2.0, 4.0),
    "date-60": (0.5, 1.0),
    "soon": (0.5, 1.0),
    "-5": (0.5, 1.0),
    "1.5": (1.5, 1.5),
    "0": (0.5, 1.0),
}


#: A 503 with an invalid Retry-After is not a rejection: the outcome is unknown.
ASKED = [
    pytest.param(step, code, value, id=f"{step}-{code}-{value}")
    for step in STEPS
    for code in (429, 503)
    for value in WAITS
    if step.repeated or code == 429 or value not in ("soon", "-5")
]


@pytest.mark.parametrize(("step", "code", "value"), ASKED)
def test_f10_every_way_of_saying_so(step: Step, workflow: Workflow, code: int, value: str) -> None:
    """A date, a past one, garbage, a fraction."""
    clock = Polling()
    workflow.harness.fault(step.match, f"status {code} retry-after={value}")
    workflow.run(clock=clock, retry=RetryPolicy())
    workflow.check()
    [wait] = clock.waits
    assert WAITS[value][0] <= wait <= WAITS[value][1]


@every_step
@each_code
def test_f10_a_day(step: Step, workflow: Workflow, code: int) -> None:
    """Detect a wait without a cap: the clock would have slept a day."""
    clock = Polling()
    fault = workflow.harness.fault(step.match, f"status {code} retry-after=86400")
    with pytest.raises(step.error(errors.RateLimited if code == 429 else ServerError), match="86400") as caught:
        workflow.run(clock=clock, retry=RetryPolicy())
    error: Any = caught.value
    assert (error.retry_after, error.status, clock.waits, fault.fired) == (86400, code, [], 1)
    workflow.check_nothing()


@pytest.mark.parametrize("step", [step for step in STEPS if not step.own_tries], ids=str)
def test_f10_again_and_again(step: Step, workflow: Workflow) -> None:
    clock = Polling()
    workflow.harness.fault(step.match, "status 429 retry-after=2", times=6)
    with pytest.raises(step.error(errors.RateLimited)):
        workflow.run(clock=clock, retry=RetryPolicy())
    assert clock.waits == [2.0] * 5
    workflow.check_nothing()


REFUSALS: Dict[int, Any] = {
    **dict.fromkeys((400, 422), errors.BadRequest),
    **dict.fromkeys((404, 410), errors.NotFound),
    **dict.fromkeys((409, 412), errors.Conflict),
    **dict.fromkeys((402, 405, 407, 415, 416, 418), errors.ClientError),
    401: errors.AuthError,
    403: errors.Forbidden,
    413: errors.TooLarge,
}


@pytest.mark.parametrize(
    ("step", "code"),
    [pytest.param(step, code, id=f"{step}-{code}") for step in STEPS for code in REFUSALS if code not in step.special],
)
def test_f11_what_another_try_does_not_mend(step: Step, workflow: Workflow, code: int) -> None:
    """Detect a repeat, an error of another kind, one that does not say why, or a rest of the run."""
    fault = workflow.harness.fault(step.match, f"status {code} body=json:because", times=None)
    with pytest.raises(step.error(REFUSALS[code], code), match="because") as caught:
        workflow.run()
    error: Any = caught.value
    assert type(error) is step.error(REFUSALS[code], code)
    assert (fault.fired, error.status) == (1, code)
    assert not isinstance(error, OSError)
    workflow.check_nothing()
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.status) == (type(error), str(error), code)


XML = b"<Error xmlns='x'><Code>AccessDenied</Code>"
LAUGHS = b'<!DOCTYPE Error [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;">]>' + XML + b"<Message>&b;</Message></Error>"
BODIES: List[bytes] = [
    b"<p>",
    b"{",
    b"null",
    b"[]",
    b"17",
    b"",
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b'{"errors": {"x": [1]}, "message": 3}',
    XML,
    XML + b"<Message>" * 9999,
    LAUGHS,
    b"<?xml version='1.0'?>" + LAUGHS,
]


@every_step
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_f11_a_body_of_any_shape(step: Step, workflow: Workflow, body: bytes) -> None:
    """Fails if a parser trusts: entities are not expanded, depth and length are bounded."""
    path = workflow.harness.file(body, "body")
    status = 413 if 400 in step.special else 400
    workflow.harness.fault(step.match, f"status {status} 'body=file:{path}'")
    with pytest.raises(errors.HTTPError, match=str(status)) as caught:
        workflow.run()
    assert caught.value.status == status
    assert len(str(caught.value)) < 1000
    assert "aaaaaaaaaaaaaaaa" not in str(caught.value)
    workflow.check_nothing()


@every_step
def test_interim_answers(step: Step, workflow: Workflow) -> None:
    """Fails if an interim answer is taken for the final one."""
    workflow.harness.fault(step.match, "interim 103 3")
    workflow.run()
    workflow.check()
