"""Tables of rules that convert error responses of a service to exceptions.

Each service has a parser for the body of an error response, and a table of rules for the class of the
exception, its hint, and whether the request may be retried.
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
    """A rule of a table: the responses that it matches, and the attributes of their exception.

    Attributes that are None depend on the status, see
    :func:`~smartxfer.transport.http_errors.build_http_error`.

    :param status: of the response; None for any.
    :param code_pattern: regular expression for the whole error code; None for any code or a missing one.
    :param message_pattern: regular expression for a part of the message in lower case; None for any message.
    :param error_class: class of the exception.
    :param hint: what the caller can do.
    :param retryable: whether the same request may succeed later.
    :param attributes: further attributes of the exception.
    """

    status: Optional[int] = None
    code_pattern: Optional[str] = None
    message_pattern: Optional[str] = None
    error_class: Optional[Type[HTTPError]] = None
    hint: Optional[str] = None
    retryable: Optional[bool] = None
    attributes: Mapping[str, Any] = attrs.field(factory=dict)

    def matches(self, status: int, code: str, message: str) -> bool:
        """Return True if the rule matches a response."""
        return (
            (self.status is None or self.status == status)
            and (self.code_pattern is None or re.fullmatch(self.code_pattern, code, re.DOTALL) is not None)
            and (self.message_pattern is None or re.search(self.message_pattern, message.lower()) is not None)
        )

    @property
    def error_kwargs(self) -> Dict[str, Any]:
        """Keyword arguments of ``build_http_error`` that the rule defines."""
        values = {"kind": self.error_class, "hint": self.hint, "retryable": self.retryable, **self.attributes}
        return {name: value for name, value in values.items() if value is not None}


@attrs.frozen
class ErrorTable:
    """The parser and the rules of a service for error responses.

    :param parse_response: returns keyword arguments of ``build_http_error`` from a response: ``message``,
        ``code`` and others.
    :param rules: of several matching rules, each adds the attributes that the rules before it leave open.
    """

    parse_response: Callable[[BufferedResponse], Mapping[str, Any]] = lambda response: {}
    rules: Sequence[ErrorRule] = ()

    def find_error_kwargs(self, status: int, code: str = "", message: str = "") -> Dict[str, Any]:
        """Return the keyword arguments of ``build_http_error`` from the matching rules."""
        kwargs: Dict[str, Any] = {}
        for rule in self.rules:
            if rule.matches(status, code, message):
                kwargs = {**rule.error_kwargs, **kwargs}
        return kwargs

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
        """Return the exception for a response with status 400 or more.

        :param overrides: values that take precedence over those of the response, which take precedence over
            the rules.
        """
        parsed = {**self.parse_response(response), **overrides}
        ruled = self.find_error_kwargs(response.status, parsed.get("code", ""), parsed.get("message", ""))
        return build_http_error(response, method, url, policy=policy, clock=clock, **{**ruled, **parsed})
