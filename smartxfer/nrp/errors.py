"""The exceptions of nrp-cmd, as names for nodes of our tree, and what an error answer says.

Source: NRP / Invenio protocol, section 3, Errors.
"""

from typing import Any, Dict, List, Mapping

from smartxfer.errors import (
    ClientError,
    CommunicationError,
    DecodeError,
    DraftInvalid,
    Forbidden,
    HTTPError,
    NetworkError,
    NotFound,
    ReviewRequired,
    ServerError,
    SmartxferError,
    TransferRefused,
)
from smartxfer.nrp.hints import hint_for
from smartxfer.seams import Clock
from smartxfer.transport import Answer, RetryPolicy
from smartxfer.transport.redact import clean, clean_all
from smartxfer.transport.status import http_error

__all__ = [
    "DraftInvalid",
    "RepositoryClientError",
    "RepositoryCommunicationError",
    "RepositoryError",
    "RepositoryForbiddenError",
    "RepositoryNetworkError",
    "RepositoryNotFoundError",
    "RepositoryServerError",
    "ReviewRequired",
    "TransferRefused",
    "error_of",
    "told",
]

RepositoryError = SmartxferError
RepositoryCommunicationError = CommunicationError
RepositoryClientError = ClientError
RepositoryServerError = ServerError
RepositoryNetworkError = NetworkError
RepositoryForbiddenError = Forbidden
RepositoryNotFoundError = NotFound


def error_of(
    answer: Answer, method: str, url: str, *, policy: RetryPolicy, clock: Clock, token: bool = True
) -> HTTPError:
    """Return the exception for an answer of 400 and more; ``errors`` holds what is wrong with which field.

    ``Retry-After`` is on every answer, and has a meaning on 429 and 503 only.

    :param token: whether the client sends one.

    Source: NRP / Invenio protocol, sections 3 and 9.
    """
    body = _body(answer)
    errors = _entries(clean_all(body.get("errors")))
    words = [clean(str(body.get("message") or "")), told(errors)]
    data: Dict[str, Any] = {"errors": errors, "details": errors}
    if answer.status not in (429, 503):
        data["retry_after"] = None
    message = "; ".join(word for word in words if word)
    hint = hint_for(answer.status, message, token=token)
    if hint is not None:
        data["hint"] = hint
    return http_error(answer, method, url, policy=policy, clock=clock, message=message, **data)


def told(errors: Any) -> str:
    """Errors of fields in a line."""
    if isinstance(errors, str):
        return errors[:300]
    lines = [
        f"{entry.get('field', '')}: {', '.join(map(str, entry.get('messages') or []))}"
        for entry in _entries(errors)[:5]
    ]
    return "; ".join(lines)[:300]


def _body(answer: Answer) -> Mapping[str, Any]:
    if "json" not in answer.headers.get("Content-Type", "").lower():
        return {}
    try:
        found = answer.json()
    except DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _entries(errors: Any) -> List[Any]:
    return [entry for entry in errors if isinstance(entry, dict)] if isinstance(errors, list) else []
