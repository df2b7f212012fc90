"""The response attached to an error, with the attributes of ``requests.Response``.

Source: SmartFile protocol, section 4.
"""

import http
import json
from typing import Any, Dict

import requests
from requests.structures import CaseInsensitiveDict

from smartxfer.transport import BufferedResponse
from smartxfer.transport.redaction import redact

__all__ = ["ErrorResponse"]


class ErrorResponse:
    """Status, headers and body of an error response; secrets that the server repeats are masked.

    :param status_code: the HTTP status.
    :param headers: header names are case-insensitive.
    :param content: the body.
    :param url: the URL, without its query.
    """

    def __init__(self, status_code: int, headers: Dict[str, str], content: bytes, url: str) -> None:
        self.status_code = self.status = status_code
        self.headers: CaseInsensitiveDict[str] = CaseInsensitiveDict(headers)
        self.content = content
        self.url = url

    @classmethod
    def from_response(cls, response: BufferedResponse, url: str) -> "ErrorResponse":
        """Return the response without secrets, because an error may be printed and pickled."""
        headers = {
            name: redact(value) for name, value in response.headers.items() if name.lower() != "set-cookie"
        }
        return cls(response.status, headers, redact(response.text).encode("utf-8"), url)

    @property
    def reason(self) -> str:
        """The standard reason phrase of the status; "" for an unknown status."""
        try:
            return http.HTTPStatus(self.status_code).phrase
        except ValueError:
            return ""

    @property
    def ok(self) -> bool:
        """True if the status is below 400, which it is not for an error."""
        return self.status_code < 400

    @property
    def text(self) -> str:
        """The body, decoded as UTF-8."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the body, decoded as JSON.

        :raises ValueError: the body is not JSON; it is a JSONDecodeError of requests.
        """
        try:
            return json.loads(self.text)
        except json.JSONDecodeError as error:
            raise requests.exceptions.JSONDecodeError(error.msg, error.doc, error.pos) from None
        except RecursionError:
            raise requests.exceptions.JSONDecodeError("nested too deeply", self.text[:100], 0) from None

    def __repr__(self) -> str:
        return f"<Response [{self.status_code}]>"
