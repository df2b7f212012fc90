"""The errors of a repository, each a subclass of a generic error and of :class:`RepositoryError`.

Errors that nrp-cmd has, too, have the same name.

Source: NRP / Invenio protocol, section 3, Errors.
"""

from typing import Any, Dict, List, Mapping

from smartxfer import errors
from smartxfer.error_families import ErrorFamily
from smartxfer.errors import (
    DecodeError,
    InvalidDraft,
    ReviewRequired,
    UploadNotStored,
)
from smartxfer.nrp.hints import build_error_rules
from smartxfer.transport import BufferedResponse
from smartxfer.transport.error_rules import ErrorTable
from smartxfer.transport.redaction import redact, redact_json

__all__ = [
    "ERRORS",
    "ERROR_TABLES",
    "DoesNotExistError",
    "InvalidDraft",
    "RepositoryAuthError",
    "RepositoryBatchError",
    "RepositoryChecksumMismatch",
    "RepositoryClientError",
    "RepositoryCommunicationError",
    "RepositoryConflict",
    "RepositoryCredentialError",
    "RepositoryDecodeError",
    "RepositoryError",
    "RepositoryForbiddenError",
    "RepositoryHTTPError",
    "RepositoryIntegrityError",
    "RepositoryInvalidDraft",
    "RepositoryJSONError",
    "RepositoryLimitExceeded",
    "RepositoryNetworkError",
    "RepositoryNotFoundError",
    "RepositoryOutcomeUnknown",
    "RepositoryRedirectRefused",
    "RepositoryReviewRequired",
    "RepositoryServerError",
    "RepositorySizeMismatch",
    "RepositorySourceChanged",
    "RepositoryTaskFailed",
    "RepositoryUploadNotStored",
    "RepositoryUploadRejected",
    "RepositoryWaitTimeout",
    "ReviewRequired",
    "StructureError",
    "UploadNotStored",
    "format_field_errors",
]


class RepositoryError(errors.SmartxferError):
    """Base class of the errors of an NRP or InvenioRDM repository; other services do not raise them."""


# fmt: off
class RepositoryCredentialError(RepositoryError, errors.CredentialError): ...
class RepositoryCommunicationError(RepositoryError, errors.CommunicationError): ...
class RepositoryNetworkError(RepositoryCommunicationError, errors.NetworkError): ...
class RepositoryDecodeError(RepositoryCommunicationError, errors.DecodeError): ...
class RepositoryRedirectRefused(RepositoryCommunicationError, errors.RedirectRefused): ...
class RepositoryOutcomeUnknown(RepositoryCommunicationError, errors.OutcomeUnknown): ...
class RepositoryHTTPError(RepositoryCommunicationError, errors.HTTPError):
    """An HTTP error response.

    :param json: the body, if it is a JSON object; else empty.
    """

    json: Mapping[str, Any] = {}
class RepositoryClientError(RepositoryHTTPError, errors.ClientError): ...
class RepositoryLimitExceeded(RepositoryClientError, errors.LimitExceeded): ...
class RepositoryAuthError(RepositoryClientError, errors.AuthError): ...
class RepositoryForbiddenError(RepositoryAuthError, errors.Forbidden): ...
class RepositoryNotFoundError(RepositoryClientError, errors.NotFound): ...
class RepositoryConflict(RepositoryClientError, errors.Conflict): ...
class RepositoryReviewRequired(RepositoryClientError, errors.ReviewRequired): ...
class RepositoryServerError(RepositoryHTTPError, errors.ServerError): ...
class RepositoryIntegrityError(RepositoryError, errors.IntegrityError): ...
class RepositoryChecksumMismatch(RepositoryIntegrityError, errors.ChecksumMismatch): ...
class RepositorySizeMismatch(RepositoryIntegrityError, errors.SizeMismatch): ...
class RepositoryUploadRejected(RepositoryIntegrityError, errors.UploadRejected): ...
class RepositoryUploadNotStored(RepositoryUploadRejected, errors.UploadNotStored): ...
class RepositorySourceChanged(RepositoryIntegrityError, errors.SourceChanged): ...
class RepositoryWaitTimeout(RepositoryError, errors.WaitTimeout): ...
class RepositoryTaskFailed(RepositoryError, errors.TaskFailed): ...
class RepositoryInvalidDraft(RepositoryError, errors.InvalidDraft): ...
class RepositoryBatchError(RepositoryError, errors.BatchError): ...
# fmt: on

#: The class for each generic error; those not defined above, such as RepositoryReadTimeout, are generated.
ERRORS = ErrorFamily(__name__, RepositoryError, "Repository")


def _parse_error_response(response: BufferedResponse) -> Dict[str, Any]:
    """Return message and field errors of a response, as attributes of the exception.

    ``Retry-After`` is in every response; it is ignored unless the status is 429 or 503.

    Source: NRP / Invenio protocol, sections 3 and 9.
    """
    body = _get_json_body(response)
    errors = _select_error_entries(redact_json(body.get("errors")))
    texts = [redact(str(body.get("message") or "")), format_field_errors(errors)]
    attributes = {"errors": errors, "details": errors, "message": "; ".join(text for text in texts if text)}
    attributes["json"] = redact_json(body)
    return attributes if response.status in (429, 503) else {**attributes, "retry_after": None}


#: Names of nrp-cmd for an error response, a 404, and an invalid response.
RepositoryJSONError = RepositoryHTTPError
DoesNotExistError = RepositoryNotFoundError
StructureError = RepositoryDecodeError

#: Rules for error responses, by whether the client sends a token.
ERROR_TABLES = {token: ErrorTable(_parse_error_response, build_error_rules(token)) for token in (True, False)}


def format_field_errors(errors: Any) -> str:
    """Return field errors as one line of text."""
    if isinstance(errors, str):
        return errors[:300]
    lines = [
        f"{entry.get('field', '')}: {', '.join(map(str, entry.get('messages') or []))}"
        for entry in _select_error_entries(errors)[:5]
    ]
    return "; ".join(lines)[:300]


def _get_json_body(response: BufferedResponse) -> Mapping[str, Any]:
    if "json" not in response.headers.get("Content-Type", "").lower():
        return {}
    try:
        body = response.json()
    except DecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _select_error_entries(errors: Any) -> List[Any]:
    return [entry for entry in errors if isinstance(entry, dict)] if isinstance(errors, list) else []
