"""Shared tokens for a manifest, and API tokens that log in as their creator.

Source: JetStream protocol, sections 3.1, 5.1, 5.2 and 6.  Assumption: the names of permissions.
"""

import hashlib
import hmac
import json
import secrets
from typing import Any, Dict, List, Optional

from smartxfer.local.jetstream.call import Call, Row, RpcError, invalid_params, not_found, select_columns
from smartxfer.local.jetstream.paths import join_segments, segments
from smartxfer.local.jetstream.users import RIGHTS, can_see

_CONSONANTS, _VOWELS = "BDFGKLMNPRSTVZ", "AEIOU"


def create_shared(call: Call) -> Dict[str, Any]:
    """``send.createSharedToken``: create a token to download a manifest."""
    _check_allowed(call, "shared")
    limit = call.integer("downloadLimit", minimum=1)
    with call.backend.lock:
        manifest = call.owned("manifest")
        return serialize(call, _create(call, "shared", manifest=manifest["id"], download_limit=limit))


def create_api(call: Call) -> Dict[str, Any]:
    """``createAPIToken``: create a token to log in as the caller, with limits."""
    _check_allowed(call, "api")
    if call.user.token is not None or call.user.username is None:
        raise RpcError("PermissionDenied", "API tokens are made by users")
    value = call.params.get("permissions", [])
    if not isinstance(value, list) or not all(isinstance(word, str) and word in RIGHTS for word in value):
        raise invalid_params("permissions is a list of words: {}".format(", ".join(sorted(RIGHTS))))
    path = join_segments(*segments(call.text("path", "/")))
    bound = path if "path" in call.params else None
    with call.backend.lock:
        return serialize(call, _create(call, "api", permissions=json.dumps(value), path=bound))


def get(kind: str, call: Call) -> Dict[str, Any]:
    """``send.getSharedToken`` and ``getAPIToken``."""
    return serialize(call, token_row(call, kind))


def list_all(kind: str, call: Call) -> List[Dict[str, Any]]:
    """``send.getSharedTokens`` and ``getAPITokens``."""
    return [serialize(call, row) for row in call.all("token") if row["kind"] == kind]


def delete(kind: str, call: Call) -> None:
    """``send.deleteSharedToken`` and ``deleteAPIToken``."""
    with call.backend.lock:
        row = token_row(call, kind)
        call.require_modify(row, "tokens")
        call.backend.database.delete("tokens", id=row["id"])


def login(call: Call) -> None:
    """``authToken``: log in by a token.

    :raises RpcError: AuthenticationFailed, unknown, expired or used-up token, or wrong password.
    """
    backend = call.backend
    with backend.lock:
        row = backend.database.find("tokens", token=call.text("token"), deleted=0)
        if row is None or not _is_password(row, call.text("password")):
            raise RpcError("AuthenticationFailed", "the token or its password is wrong")
        if row["expires"] is not None and row["expires"] <= backend.now_micros():
            raise RpcError("AuthenticationFailed", "the token has expired")
        if row["download_limit"] is not None and row["downloads"] >= row["download_limit"]:
            raise RpcError("AuthenticationFailed", "the token's downloads are used up")
        _check_allowed(call, row["kind"], "AuthenticationFailed")
        call.user.become_token(row)


def count_download(call: Call) -> None:
    """Count a transfer of a shared token; the caller holds the lock.

    :raises RpcError: AuthenticationFailed, its downloads are used up.
    """
    if call.user.kind != "shared" or call.id("manifestId") != call.user.manifest:
        return
    if not call.backend.database.execute_count(
        """UPDATE tokens SET downloads=downloads+1
            WHERE token=? AND NOT deleted AND (download_limit IS NULL OR downloads<download_limit)""",
        call.user.token,
    ):
        raise RpcError("AuthenticationFailed", "the token's downloads are used up")


def token_row(call: Call, kind: Optional[str] = None, name: str = "token") -> Row:
    """Return the token that a parameter names.

    :param kind: its kind, or None.
    :raises RpcError: NotFound, the token does not exist or is not visible to the caller.
    """
    row = call.backend.database.find("tokens", token=call.text(name))
    if row is None or kind not in (None, row["kind"]) or not can_see(call.user, row, "tokens"):
        raise not_found("token", call.params[name])
    return row


def serialize(call: Call, row: Row) -> Dict[str, Any]:
    """Return a token as the caller sees it."""
    structure = {
        **select_columns(row, "token", "description", creationTime="created", expiryTime="expires"),
        "passwordRequired": row["digest"] is not None,
        "permissions": json.loads(row["permissions"]),
        **call.serialize_owner(row),
    }
    if row["kind"] == "api":
        return {**structure, "path": row["path"]}
    more = select_columns(row, downloadCount="downloads", downloadLimit="download_limit")
    return {**structure, "manifestId": str(row["manifest"]), **more}


def _create(call: Call, kind: str, permissions: str = "[]", **columns: Any) -> Row:
    password = call.text("password")
    salt = secrets.token_hex(8) if password else None
    return call.insert(
        "token", token=".".join(_random_syllables() for _ in range(3)), kind=kind,
        description=call.text("description"), created=call.backend.now_micros(),
        expires=call.integer("expiryTime"), salt=salt,
        digest=_hash_password(password, salt) if salt else None, permissions=permissions, **columns,
    )


def _check_allowed(call: Call, kind: str, error: str = "PermissionDenied") -> None:
    site = call.backend.site
    if not (site.allow_shared_tokens if kind == "shared" else site.allow_api_tokens):
        raise RpcError(error, "this server has no such tokens")


def _random_syllables() -> str:
    return "".join(secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS) for _ in range(3))


def _hash_password(password: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), 1000).hex()


def _is_password(row: Row, password: str) -> bool:
    return row["digest"] is None or hmac.compare_digest(row["digest"], _hash_password(password, row["salt"]))
