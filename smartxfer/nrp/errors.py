"""The errors of a repository, each the generic class and :class:`RepositoryError` at once.

Where nrp-cmd has a name for one, it is that.

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
    """Root of the errors of an NRP or InvenioRDM repository, and of no other service's."""


# fmt: off
class RepositoryCredentialError(RepositoryError, errors.CredentialError): ...
class RepositoryCommunicationError(RepositoryError, errors.CommunicationError): ...
class RepositoryNetworkError(RepositoryCommunicationError, errors.NetworkError): ...
class RepositoryDecodeError(RepositoryCommunicationError, errors.DecodeError): ...
class RepositoryRedirectRefused(RepositoryCommunicationError, errors.RedirectRefused): ...
class RepositoryOutcomeUnknown(RepositoryCommunicationError, errors.OutcomeUnknown): ...
class RepositoryHTTPError(RepositoryCommunicationError, errors.HTTPError):
    """An answer that is an error.

    :param json: its body, where it is an object of JSON; else empty.
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

#: The class for each generic one; those not written out above are made, such as RepositoryReadTimeout.
ERRORS = ErrorFamily(__name__, RepositoryError, "Repository")


def _parse_error_response(response: BufferedResponse) -> Dict[str, Any]:
    """Return what the repository says; ``errors`` holds what is wrong with which field.

    ``Retry-After`` is on every answer, and has a meaning on 429 and 503 only.

    Source: NRP / Invenio protocol, sections 3 and 9.
    """
    body = _get_json_body(response)
    errors = _select_error_entries(redact_json(body.get("errors")))
    words = [redact(str(body.get("message") or "")), format_field_errors(errors)]
    said = {"errors": errors, "details": errors, "message": "; ".join(word for word in words if word)}
    said["json"] = redact_json(body)
    return said if response.status in (429, 503) else {**said, "retry_after": None}


#: Names of nrp-cmd: an answer that is an error, one of 404, and an answer that is not as the protocol says.
RepositoryJSONError = RepositoryHTTPError
DoesNotExistError = RepositoryNotFoundError
StructureError = RepositoryDecodeError

#: How answers become errors, by whether the client sends a token.
ERROR_TABLES = {token: ErrorTable(_parse_error_response, build_error_rules(token)) for token in (True, False)}


def format_field_errors(errors: Any) -> str:
    """Errors of fields in a line."""
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
        found = response.json()
    except DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _select_error_entries(errors: Any) -> List[Any]:
    return [entry for entry in errors if isinstance(entry, dict)] if isinstance(errors, list) else []
