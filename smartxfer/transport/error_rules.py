"""The errors of a service's answers: one builder, and for each service a reader and a table.

The reader tells what the body of an answer says.  The table tells what that means: the class of the error,
what to do about it, and if another try may help.
"""

import re
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Type

import attrs

from smartxfer.errors import HTTPError
from smartxfer.seams import Clock
from smartxfer.transport.answer import Answer
from smartxfer.transport.retry import RetryPolicy
from smartxfer.transport.status import http_error

__all__ = ["ErrorRule", "ErrorTable"]


@attrs.frozen
class ErrorRule:
    """A line of a table: the answers that it is about, and what they mean.

    What is None says nothing; the status decides then, see :func:`~smartxfer.transport.status.http_error`.

    :param status: of the answer; None for any.
    :param code: pattern of the whole of the server's word for the error; None for any, and for none.
    :param words: pattern of a part of the message in lower case; None for any message.
    :param kind: class of the error.
    :param hint: what to do about it.
    :param retryable: whether the same request may succeed later.
    :param more: further attributes of the error.
    """

    status: Optional[int] = None
    code: Optional[str] = None
    words: Optional[str] = None
    kind: Optional[Type[HTTPError]] = None
    hint: Optional[str] = None
    retryable: Optional[bool] = None
    more: Mapping[str, Any] = attrs.field(factory=dict)

    def fits(self, status: int, code: str, message: str) -> bool:
        """Return True if the rule is about an answer."""
        return (
            (self.status is None or self.status == status)
            and (self.code is None or re.fullmatch(self.code, code, re.DOTALL) is not None)
            and (self.words is None or re.search(self.words, message.lower()) is not None)
        )

    @property
    def meaning(self) -> Dict[str, Any]:
        """The rule's part of the error, as keywords of ``http_error``."""
        said = {"kind": self.kind, "hint": self.hint, "retryable": self.retryable, **self.more}
        return {name: value for name, value in said.items() if value is not None}


@attrs.frozen
class ErrorTable:
    """The reader and the rules of a service, which make errors of its answers.

    :param read: returns what an answer says, as keywords of ``http_error``: ``message``, ``code`` and others.
    :param rules: what that means; of several rules that fit, each adds what those before it have not said.
    """

    read: Callable[[Answer], Mapping[str, Any]] = lambda answer: {}
    rules: Sequence[ErrorRule] = ()

    def meaning(self, status: int, code: str = "", message: str = "") -> Dict[str, Any]:
        """Return what the rules say about an answer, as keywords of ``http_error``; empty where none fits."""
        found: Dict[str, Any] = {}
        for rule in self.rules:
            if rule.fits(status, code, message):
                found = {**rule.meaning, **found}
        return found

    def error(
        self, answer: Answer, method: str, url: str, *, policy: RetryPolicy, clock: Clock, **known: Any
    ) -> HTTPError:
        """Return the error of an answer of 400 and more.

        :param known: what the client knows besides.  It goes before what the answer says, and that before the
            rules.
        """
        said = {**self.read(answer), **known}
        means = self.meaning(answer.status, said.get("code", ""), said.get("message", ""))
        return http_error(answer, method, url, policy=policy, clock=clock, **{**means, **said})
