"""The error table of a service: matching rules, and their precedence."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from smartxfer.errors import BadRequest, Conflict, Forbidden, NotFound, ServerError
from smartxfer.transport import BufferedResponse, RetryPolicy
from smartxfer.transport.error_rules import ErrorRule, ErrorTable
from tests.support.fake_clock import FakeClock

WHERE = "http://h/x"


def read(answer: BufferedResponse) -> Dict[str, Any]:
    code, _, message = answer.text.partition(": ")
    return {"code": code, "message": message}


def error(rules: Any, status: int = 400, body: str = "late: the link is old", **known: Any) -> Any:
    answer = BufferedResponse("GET x", status, {}, body.encode())
    table = ErrorTable(read, rules)
    return table.build_error(answer, "GET", WHERE, policy=RetryPolicy(), clock=FakeClock(), **known)


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (ErrorRule(), True),
        (ErrorRule(400), True),
        (ErrorRule(403), False),
        (ErrorRule(code_pattern="late"), True),
        (ErrorRule(code_pattern="la"), False),
        (ErrorRule(code_pattern="la.*"), True),
        (ErrorRule(code_pattern=".+"), True),
        (ErrorRule(code_pattern=""), False),
        (ErrorRule(message_pattern="link"), True),
        (ErrorRule(message_pattern="the link is OLD".lower()), True),
        (ErrorRule(message_pattern="missing"), False),
        (ErrorRule(400, "late", "old"), True),
        (ErrorRule(400, "late", "new"), False),
        (ErrorRule(400, "soon", "old"), False),
        (ErrorRule(500, "late", "old"), False),
    ],
)
def test_which_answers_a_rule_is_about(rule: ErrorRule, fits: bool) -> None:
    assert rule.matches(400, "late", "The Link is old") is fits


def test_what_no_rule_says_the_status_decides() -> None:
    assert type(error([], 404)) is NotFound
    assert (error([], 503).retryable, error([], 404).retryable) == (True, False)
    made = error([ErrorRule(hint="ask for another")], 404)
    assert (type(made), made.hint) == (NotFound, "ask for another")


def test_a_rule_tells_all_that_it_knows() -> None:
    rule = ErrorRule(error_class=Conflict, hint="", retryable=True, attributes={"expired": True, "may_have_been_processed": False})
    made = error([rule], 500)
    assert type(made) is Conflict
    assert (made.hint, made.retryable, made.expired, made.may_have_been_processed) == ("", True, True, False)
    assert str(made) == "GET http://h/x: 500 late the link is old"


def test_an_earlier_rule_goes_before_a_later_one_which_adds_the_rest() -> None:
    rules = [
        ErrorRule(500, hint="not this"),
        ErrorRule(code_pattern="late", hint="this"),
        ErrorRule(error_class=Forbidden, hint="nor this", retryable=True),
    ]
    made = error(rules)
    assert (type(made), made.hint, made.retryable) == (Forbidden, "this", True)
    assert ErrorTable(read, rules).find_error_kwargs(400, "late") == {"kind": Forbidden, "hint": "this", "retryable": True}
    assert ErrorTable(read, rules[:2]).find_error_kwargs(404, "gone") == {}


def test_the_client_goes_before_the_answer_and_that_before_the_rules() -> None:
    rules = [ErrorRule(error_class=ServerError, hint="a rule", attributes={"code": "rule"})]
    made = error(rules, hint="the client", kind=BadRequest)
    assert (type(made), made.hint, made.code) == (BadRequest, "the client", "late")
