"""The errors of a service's answers: one builder, and for each service a reader and a table.

The reader tells what the body of an answer says.  The table tells what that means: the class of the error,
what to do about it, and if another try may help.
"""

import re
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Type

import attrs

from smartxfer._system import Clock
from smartxfer.errors import HTTPError
from smartxfer.transport.http_errors import build_http_error
from smartxfer.transport.response import BufferedResponse
from smartxfer.transport.retry_policy import RetryPolicy

__all__ = ["ErrorRule", "ErrorTable"]


@attrs.frozen
class ErrorRule:
    """A line of a table: the answers that it is about, and what they mean.

    What is None says nothing; the status decides then, see
    :func:`~smartxfer.transport.http_errors.build_http_error`.

    :param status: of the answer; None for any.
    :param code: pattern of the whole of the server's word for the error; None for any, and for none.
    :param words: pattern of a part of the message in lower case; None for any message.
    :param kind: class of the error.
    :param hint: what to do about it.
    :param retryable: whether the same request may succeed later.
    :param more: further attributes of the error.
    """

    status: Optional[int] = None
    code_pattern: Optional[str] = None
    message_pattern: Optional[str] = None
    error_class: Optional[Type[HTTPError]] = None
    hint: Optional[str] = None
    retryable: Optional[bool] = None
    attributes: Mapping[str, Any] = attrs.field(factory=dict)

    def matches(self, status: int, code: str, message: str) -> bool:
        """Return True if the rule is about an answer."""
        return (
            (self.status is None or self.status == status)
            and (self.code_pattern is None or re.fullmatch(self.code_pattern, code, re.DOTALL) is not None)
            and (self.message_pattern is None or re.search(self.message_pattern, message.lower()) is not None)
        )

    @property
    def error_kwargs(self) -> Dict[str, Any]:
        """The rule's part of the error, as keywords of ``http_error``."""
        said = {"kind": self.error_class, "hint": self.hint, "retryable": self.retryable, **self.attributes}
        return {name: value for name, value in said.items() if value is not None}


@attrs.frozen
class ErrorTable:
    """The reader and the rules of a service, which make errors of its answers.

    :param read: returns what an answer says, as keywords of ``build_http_error``: ``message``, ``code`` and
        others.
    :param rules: what that means; of several rules that fit, each adds what those before it have not said.
    """

    parse_response: Callable[[BufferedResponse], Mapping[str, Any]] = lambda answer: {}
    rules: Sequence[ErrorRule] = ()

    def find_error_kwargs(self, status: int, code: str = "", message: str = "") -> Dict[str, Any]:
        """Return the keywords of ``build_http_error`` that the rules give for a response."""
        found: Dict[str, Any] = {}
        for rule in self.rules:
            if rule.matches(status, code, message):
                found = {**rule.error_kwargs, **found}
        return found

    def build_error(
        self,
        response: BufferedResponse,
        method: str,
        url: str,
        /,
        *,
        policy: RetryPolicy,
        clock: Clock,
        **overrides: Any,
    ) -> HTTPError:
        """Return the error of an answer of 400 and more.

        :param overrides: what the client knows besides.  It goes before what the answer says, and that
            before the rules.
        """
        said = {**self.parse_response(response), **overrides}
        means = self.find_error_kwargs(response.status, said.get("code", ""), said.get("message", ""))
        return build_http_error(response, method, url, policy=policy, clock=clock, **{**means, **said})
