"""Authentication: guest token first, then signature.

Source: FileSender protocol, section 3 (order of authentication methods), 6.2 (key mode) and 10
(guests).
"""

import json
from typing import Optional

from smartxfer.local.filesender.call import (
    TOKEN,
    ApiError,
    Backend,
    Call,
    Identity,
    Request,
    RequestArguments,
    Row,
)
from smartxfer.local.filesender.signing import Signature


def guest_by_token(backend: Backend, token: str) -> Row:
    """Return a voucher that can still be used.

    :raises ApiError: ``token_has_bad_format``, ``guest_not_found`` or ``guest_expired``.
    """
    if not TOKEN.fullmatch(token):
        raise ApiError("token_has_bad_format")
    guest = backend.database.find("guests", token=token)
    if guest is None:
        raise ApiError("guest_not_found")
    forever = json.loads(guest["options"]).get("does_not_expire", False)
    if guest["status"] != "available" or (guest["expires"] < backend.now() and not forever):
        raise ApiError("guest_expired")
    return guest


def guest_identity(backend: Backend, token: str) -> Identity:
    """Return the guest of a ``vid``, with the inviter as user."""
    guest = guest_by_token(backend, token)
    return Identity(backend.repository.user(guest["userid"]), guest)


def begin_signature(backend: Backend, request: Request, arguments: RequestArguments) -> Optional[Signature]:
    """Return the check of the request's signature, or None if it has none or a ``vid`` takes precedence."""
    if "vid" in arguments or "signature" not in arguments or "remote_user" not in arguments:
        return None
    user = signing_user(backend, arguments)
    key = user["api_key"] if user is not None else ""
    return Signature(request.method, backend.server_name + request.script, arguments, key)


def signing_user(backend: Backend, arguments: RequestArguments) -> Optional[Row]:
    """Return the user that the request names, or None."""
    name = arguments.get("remote_user")
    if name.encode("utf-8", "replace").decode("utf-8") != name:
        # Invalid UTF-8: such a user name does not exist.
        return None
    return backend.repository.user_named(name)


def authenticate_file_key(call: Call) -> bool:
    """Return True if a file's key replaces signature and security token (section 6.2)."""
    if call.backend.site.chunk_security != "key" or call.request.method != "PUT":
        return False
    if "key" not in call.arguments:
        return False
    return call.endpoint == "file" or (call.endpoint == "transfer" and "puid" in call.arguments)


def check_tokens(call: Call) -> None:
    """Check the tokens of a changing call that is not signed: first csrf, then the security token.

    :raises ApiError: ``rest_xsrf_token_did_not_match`` or ``rest_security_token_did_not_match``.
    """
    headers = call.request.headers
    session = call.backend.sessions.get(call.request.cookies.get("PHPSESSID", ""))
    if call.identity.guest is not None and call.backend.site.csrf:
        if session is None or not session.use_csrf(headers.get("csrfptoken", "")):
            raise ApiError("rest_xsrf_token_did_not_match")
        call.request.context["csrf"] = session.issue_csrf()
    value = headers.get("x-filesender-security-token", "")
    if not authenticate_file_key(call) and (session is None or not session.allows(value, call.backend.now())):
        raise ApiError("rest_security_token_did_not_match")
    if session is None:
        return
    renewed = session.renew(call.backend.now())
    if renewed:
        call.request.context["security_token"] = renewed
