"""What the site's error words mean.

A site answers 500 for nearly everything, so that its words are classified, not its statuses.

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

__all__ = ["ERROR_TABLE"]

_API_KEY_HINT = "check username and api_key; a site that knows itself by another name needs signing_host="
_GONE_HINT = "it was deleted, has expired, or never was"
_EXPIRED_HINT = "ask for a new link or voucher"
_SESSION_HINT = "the session has ended: call prepare() and then the same method again"
_CHUNK_SIZE_HINT = "pass a smaller chunk_size= and run again: the upload continues with it"
_DAILY_LIMIT_HINT = "a limit per day on mails or calls is reached: run again tomorrow"
_POLICY_HINT = "the site's rules stand against it"

_ERROR_CODES: Dict[str, Tuple[Type[HTTPError], str, bool]] = {
    "auth_remote_too_late": (AuthError, "the clock or the line is slow: raise UserAuth(delay=)", True),
    "auth_remote_signature_check_failed": (AuthError, _API_KEY_HINT, False),
    "auth_remote_user_rejected": (AuthError, "the user has no API key: make one on the page ?s=user", False),
    "rest_authentication_required": (AuthError, "give UserAuth(...) or GuestAuth(...)", False),
    "rest_ownership_required": (Forbidden, "it belongs to another user", False),
    "rest_admin_required": (Forbidden, "it takes an administrator", False),
    "rest_security_token_did_not_match": (AuthError, _SESSION_HINT, False),
    "rest_xsrf_token_did_not_match": (AuthError, _SESSION_HINT, False),
    "rest_roundtrip_token_invalid": (Forbidden, "the transfer was created by another client", False),
    "rest_sanity_check_failed": (BadRequest, "the body was damaged on its way", True),
    "rest_bad_parameter": (BadRequest, "", False),
    "rest_missing_parameter": (BadRequest, "", False),
    "rest_endpoint_missing": (BadRequest, "", False),
    "rest_endpoint_not_implemented": (BadRequest, "the site does not have this call", False),
    "rest_method_not_implemented": (BadRequest, "the site does not have this call", False),
    "rest_method_not_allowed": (BadRequest, "the site does not have this call", False),
    "rest_unknown_principal": (NotFound, _EXPIRED_HINT, False),
    "rest_data_stale": (NotFound, "the mail address has to be verified in a browser", False),
    "cannot_add_data_to_complete_transfer": (Conflict, "the transfer is complete", False),
    "cannot_alter_closed_transfer": (Conflict, "the transfer is closed", False),
    "undergoing_maintenance": (Maintenance, Maintenance.hint, True),
    "failed_to_connect_to_database": (ServerError, "the site's database is restarting: run again", True),
    "transfer_not_found": (NotFound, _GONE_HINT, False),
    "file_not_found": (NotFound, _GONE_HINT, False),
    "recipient_not_found": (NotFound, _GONE_HINT, False),
    "guest_not_found": (NotFound, _GONE_HINT, False),
    "guest_expired": (AuthError, _EXPIRED_HINT, False),
    "token_has_bad_format": (BadRequest, "copy the whole link", False),
    "file_chunk_out_of_bounds": (BadRequest, "the file grew since the transfer was created", False),
    "storage_chunk_too_large": (LimitExceeded, _CHUNK_SIZE_HINT, False),
    "file_integrity_check_failed": (Conflict, "run again: the chunks are sent anew", False),
    "transfer_files_incomplete": (Conflict, "a file is not complete: run again", False),
    "transfer_no_files": (BadRequest, "", False),
    "transfer_no_recipients": (BadRequest, "one malformed address makes the site drop all", False),
    "transfer_rejected": (LimitExceeded, _POLICY_HINT, False),
    "bad_email": (BadRequest, "check recipients and 'from'", False),
    "bad_expire": (LimitExceeded, "choose an earlier expires", False),
    "storage_not_enough_space_left": (LimitExceeded, "the site is full: tell its administrator", False),
    "transfer_file_name_invalid": (LimitExceeded, "rename the file", False),
    "file_extension_not_allowed": (LimitExceeded, "rename or pack the file", False),
    "transfer_must_be_encrypted": (LimitExceeded, "the site takes encrypted transfers only", False),
    "database_access_failure": (ServerError, "", False),
}

#: Parts of words whose families are open.
_ERROR_CODE_PARTS: Dict[str, Tuple[Type[HTTPError], str, bool]] = {
    "rate_limit": (LimitExceeded, _DAILY_LIMIT_HINT, False),
    "checksum": (BadRequest, "the chunk was damaged on its way", True),
    "transfer_too_many": (LimitExceeded, "send less at once", False),
    "_extension_not_allowed": (LimitExceeded, _POLICY_HINT, False),
    "_exceeded": (LimitExceeded, "send less at once", False),
}


def _parse_error(response: BufferedResponse) -> Dict[str, Any]:
    """Return what the site says; nothing for the blank page of a PHP fatal."""
    try:
        body = response.json(dict)
    except DecodeError:
        return {}
    word = redact(str(body.get("message") or ""))
    return {
        "code": word,
        "message": word,
        "request_id": redact(str(body.get("uid") or "")),
        "details": redact_json(body.get("details")),
    }


#: A word that is not known is a domain error: it stays as long as the request does.
ERROR_TABLE = ErrorTable(
    _parse_error,
    [
        *(ErrorRule(None, re.escape(word), None, *means) for word, means in _ERROR_CODES.items()),
        *(
            ErrorRule(None, f".*{re.escape(part)}.*", None, *means)
            for part, means in _ERROR_CODE_PARTS.items()
        ),
        ErrorRule(500, ".+", None, ServerError, "", False),
    ],
)
