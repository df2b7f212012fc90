"""Classification of the site's error codes.

A site responds with status 500 to most errors, so the error code in the body decides, not the status.

Source: FileSender protocol, section 2.1.
"""

import re
from typing import Any, Dict, Tuple, Type

from smartxfer.errors import (
    AuthError,
    BadRequest,
    Conflict,
    DecodeError,
    Forbidden,
    HTTPError,
    LimitExceeded,
    Maintenance,
    NotFound,
    ServerError,
)
from smartxfer.transport import BufferedResponse
from smartxfer.transport.error_rules import ErrorRule, ErrorTable
from smartxfer.transport.redaction import redact, redact_json

__all__ = ["ERROR_TABLE", "UNKNOWN_CODE_HINT"]

_API_KEY_HINT = (
    "check username and api_key (FILESENDER_USERNAME, FILESENDER_API_KEY); pass signing_host= "
    "if the server uses another host name"
)
_GONE_HINT = "check the id: it was deleted, has expired, or never existed"
_EXPIRED_HINT = "ask the sender for a new link or voucher"
_SESSION_HINT = "the session has ended: call prepare() and then the same method again"
_CHUNK_SIZE_HINT = "pass a smaller chunk_size= and run again: the upload continues with it"
_DAILY_LIMIT_HINT = "run again tomorrow: a daily limit of mails or requests is reached"
_POLICY_HINT = "ask the administrator of the site which rule forbids it"
_PARAMETER_HINT = "check the parameter that error.details names"
UNKNOWN_CODE_HINT = "ask the administrator of the site what error.code means"
_BASE_URL_HINT = "check the path of the base URL (FILESENDER_BASE_URL): the site does not have this endpoint"
_CALL_HINT = "do not use this request: the version or configuration of the site does not support it"

_ERROR_CODES: Dict[str, Tuple[Type[HTTPError], str, bool]] = {
    "auth_remote_too_late": (AuthError, "set this machine's clock, or pass UserAuth(delay=)", True),
    "auth_remote_signature_check_failed": (AuthError, _API_KEY_HINT, False),
    "auth_remote_user_rejected": (AuthError, "create an API key on the site's page ?s=user", False),
    "rest_authentication_required": (AuthError, "pass auth=UserAuth(...) or auth=GuestAuth(...)", False),
    "rest_ownership_required": (Forbidden, "use the account of its owner: it belongs to another user", False),
    "rest_admin_required": (Forbidden, "use the account of an administrator", False),
    "rest_security_token_did_not_match": (AuthError, _SESSION_HINT, False),
    "rest_xsrf_token_did_not_match": (AuthError, _SESSION_HINT, False),
    "rest_roundtrip_token_invalid": (Forbidden, "start over: another client created the transfer", False),
    "rest_sanity_check_failed": (BadRequest, "run again: the body was damaged in transit", True),
    "rest_bad_parameter": (BadRequest, _PARAMETER_HINT, False),
    "rest_missing_parameter": (BadRequest, _PARAMETER_HINT, False),
    "rest_endpoint_missing": (BadRequest, "check the endpoint, such as client.get('info')", False),
    "rest_endpoint_not_implemented": (BadRequest, _CALL_HINT, False),
    "rest_method_not_implemented": (BadRequest, _CALL_HINT, False),
    "rest_method_not_allowed": (BadRequest, _CALL_HINT, False),
    "rest_unknown_principal": (NotFound, _EXPIRED_HINT, False),
    "rest_data_stale": (NotFound, "verify the mail address in a browser, then run again", False),
    "cannot_add_data_to_complete_transfer": (Conflict, "create a new transfer: this one is complete", False),
    "cannot_alter_closed_transfer": (Conflict, "create a new transfer: this one is closed", False),
    "undergoing_maintenance": (Maintenance, Maintenance.hint, True),
    "failed_to_connect_to_database": (ServerError, "run again: the database of the site is restarting", True),
    "transfer_not_found": (NotFound, _GONE_HINT, False),
    "file_not_found": (NotFound, _GONE_HINT, False),
    "recipient_not_found": (NotFound, _GONE_HINT, False),
    "guest_not_found": (NotFound, _GONE_HINT, False),
    "guest_expired": (AuthError, _EXPIRED_HINT, False),
    "token_has_bad_format": (BadRequest, "copy the whole link", False),
    "file_chunk_out_of_bounds": (BadRequest, "run again: the file has grown", False),
    "storage_chunk_too_large": (LimitExceeded, _CHUNK_SIZE_HINT, False),
    "file_integrity_check_failed": (Conflict, "run again: it resends the chunks", False),
    "transfer_files_incomplete": (Conflict, "run again: a file is incomplete", False),
    "transfer_no_files": (BadRequest, "pass at least one file", False),
    "transfer_no_recipients": (BadRequest, "check recipients: a bad address makes the site drop all", False),
    "transfer_rejected": (LimitExceeded, _POLICY_HINT, False),
    "bad_email": (BadRequest, "check recipients and 'from'", False),
    "bad_expire": (LimitExceeded, "choose an earlier expires", False),
    "storage_not_enough_space_left": (LimitExceeded, "tell the administrator: the site is full", False),
    "transfer_file_name_invalid": (LimitExceeded, "rename the file", False),
    "file_extension_not_allowed": (LimitExceeded, "rename the file, or send it in an archive", False),
    "transfer_must_be_encrypted": (LimitExceeded, "pass password=: the site requires encryption", False),
    "database_access_failure": (ServerError, ServerError.hint, False),
}

#: Parts of error codes, for families of codes that sites may extend.
_FAMILIES: Dict[str, Tuple[Type[HTTPError], str, bool]] = {
    "rate_limit": (LimitExceeded, _DAILY_LIMIT_HINT, False),
    "checksum": (BadRequest, "run again: the chunk was damaged in transit", True),
    "transfer_too_many": (LimitExceeded, "send fewer or smaller files per call", False),
    "_extension_not_allowed": (LimitExceeded, _POLICY_HINT, False),
    "_exceeded": (LimitExceeded, "send fewer or smaller files per call", False),
}


def _parse_error(response: BufferedResponse) -> Dict[str, Any]:
    """Return the fields of an error response; empty for the blank page of a fatal PHP error."""
    try:
        body = response.json(dict)
    except DecodeError:
        return {}
    code = redact(str(body.get("message") or ""))
    return {
        "code": code,
        "message": code,
        "request_id": redact(str(body.get("uid") or "")),
        "details": redact_json(body.get("details")),
    }


#: An unknown code is not retried: the site rejects the same request again.
ERROR_TABLE = ErrorTable(
    _parse_error,
    [
        *(ErrorRule(None, re.escape(code), None, *meaning) for code, meaning in _ERROR_CODES.items()),
        *(ErrorRule(None, f".*{re.escape(part)}.*", None, *meaning) for part, meaning in _FAMILIES.items()),
        ErrorRule(404, "", hint=_BASE_URL_HINT),
        ErrorRule(500, ".+", None, ServerError, UNKNOWN_CODE_HINT, False),
    ],
)
