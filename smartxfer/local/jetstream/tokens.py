"""Tokens: shared ones for a manifest, and API tokens, that log in as who made them.

Source: JetStream protocol, sections 3.1, 5.1, 5.2 and 6.  Assumption: the words of permissions.
"""

import hashlib
import hmac
import json
import secrets
from typing import Any, Dict, List, Optional

from smartxfer.local.jetstream.call import Call, Row, RpcError, bad, not_found, pick
from smartxfer.local.jetstream.paths import joined, segments
from smartxfer.local.jetstream.people import RIGHTS, sees

_CONSONANTS, _VOWELS = "BDFGKLMNPRSTVZ", "AEIOU"


def create_shared(call: Call) -> Dict[str, Any]:
    """``send.createSharedToken``: let others download a manifest."""
    _allowed(call, "shared")
    limit = call.whole("downloadLimit", least=1)
    with call.backend.lock:
        manifest = call.own("manifest")
        return shown(call, _made(call, "shared", manifest=manifest["id"], download_limit=limit))


def create_api(call: Call) -> Dict[str, Any]:
    """``createAPIToken``: let others log in as the caller, within limits."""
    _allowed(call, "api")
    if call.person.token is not None or call.person.user is None:
        raise RpcError("PermissionDenied", "API tokens are made by users")
    given = call.params.get("permissions", [])
    if not isinstance(given, list) or not all(isinstance(word, str) and word in RIGHTS for word in given):
        raise bad("permissions is a list of words: {}".format(", ".join(sorted(RIGHTS))))
    path = joined(*segments(call.text("path", "/")))
    bound = path if "path" in call.params else None
    with call.backend.lock:
        return shown(call, _made(call, "api", permissions=json.dumps(given), path=bound))


def get(kind: str, call: Call) -> Dict[str, Any]:
    """``send.getSharedToken`` and ``getAPIToken``."""
    return shown(call, token_row(call, kind))


def list_all(kind: str, call: Call) -> List[Dict[str, Any]]:
    """``send.getSharedTokens`` and ``getAPITokens``."""
    return [shown(call, row) for row in call.all("token") if row["kind"] == kind]


def delete(kind: str, call: Call) -> None:
    """``send.deleteSharedToken`` and ``deleteAPIToken``."""
    with call.backend.lock:
        row = token_row(call, kind)
        call.permit_change(row, "tokens")
        call.backend.database.delete("tokens", id=row["id"])


def login(call: Call) -> None:
    """``authToken``: log in by a token.

    :raises RpcError: AuthenticationFailed, it is unknown, expired or used up, or its password is wrong.
    """
    backend = call.backend
    with backend.lock:
        row = backend.database.find("tokens", token=call.text("token"), deleted=0)
        if row is None or not _good_password(row, call.text("password")):
            raise RpcError("AuthenticationFailed", "the token or its password is wrong")
        if row["expires"] is not None and row["expires"] <= backend.micros():
            raise RpcError("AuthenticationFailed", "the token has expired")
        if row["download_limit"] is not None and row["downloads"] >= row["download_limit"]:
            raise RpcError("AuthenticationFailed", "the token's downloads are used up")
        _allowed(call, row["kind"], "AuthenticationFailed")
        call.person.become_token(row)


def count_download(call: Call) -> None:
    """Count a transfer that a shared token makes; the caller holds the lock.

    :raises RpcError: AuthenticationFailed, its downloads are used up.
    """
    if call.person.kind != "shared" or call.id("manifestId") != call.person.manifest:
        return
    if not call.backend.database.change(
        """UPDATE tokens SET downloads=downloads+1
            WHERE token=? AND NOT deleted AND (download_limit IS NULL OR downloads<download_limit)""",
        call.person.token,
    ):
        raise RpcError("AuthenticationFailed", "the token's downloads are used up")


def token_row(call: Call, kind: Optional[str] = None, name: str = "token") -> Row:
    """The token that a parameter names.

    :param kind: its kind, None for any.
    :raises RpcError: NotFound, there is none for the caller.
    """
    row = call.backend.database.find("tokens", token=call.text(name))
    if row is None or kind not in (None, row["kind"]) or not sees(call.person, row, "tokens"):
        raise not_found("token", call.params[name])
    return row


def shown(call: Call, row: Row) -> Dict[str, Any]:
    """A token as the caller sees it."""
    structure = {
        **pick(row, "token", "description", creationTime="created", expiryTime="expires"),
        "passwordRequired": row["digest"] is not None,
        "permissions": json.loads(row["permissions"]),
        **call.owner_shown(row),
    }
    if row["kind"] == "api":
        return {**structure, "path": row["path"]}
    more = pick(row, downloadCount="downloads", downloadLimit="download_limit")
    return {**structure, "manifestId": str(row["manifest"]), **more}


def _made(call: Call, kind: str, permissions: str = "[]", **columns: Any) -> Row:
    password = call.text("password")
    salt = secrets.token_hex(8) if password else None
    return call.insert(
        "token",
        token=".".join(_group() for _ in range(3)),
        kind=kind,
        description=call.text("description"),
        created=call.backend.micros(),
        expires=call.whole("expiryTime"),
        salt=salt,
        digest=_digest(password, salt) if salt else None,
        permissions=permissions,
        **columns,
    )


def _allowed(call: Call, kind: str, error: str = "PermissionDenied") -> None:
    site = call.backend.site
    if not (site.allow_shared_tokens if kind == "shared" else site.allow_api_tokens):
        raise RpcError(error, "this server has no such tokens")


def _group() -> str:
    return "".join(secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS) for _ in range(3))


def _digest(password: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), 1000).hex()


def _good_password(row: Row, password: str) -> bool:
    return row["digest"] is None or hmac.compare_digest(row["digest"], _digest(password, row["salt"]))
