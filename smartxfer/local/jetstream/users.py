"""Callers and their permissions.

Source: JetStream protocol, sections 3, 3.1 and 9.6.
"""

import json
import secrets
from typing import Any, Dict, FrozenSet, Optional, Set

import attrs

from smartxfer.local.database import Row
from smartxfer.local.jetstream.backend import Backend
from smartxfer.local.jsonrpc import RpcError

#: Rights of API tokens. Assumption: the vendor's names are not known.
RIGHTS: FrozenSet[str] = frozenset({"download", "upload", "modify", "share"})


def _new_mark() -> str:
    return secrets.token_hex(16)


@attrs.define(eq=False)
class User:
    """Caller of a session.

    :param username: name of the user, or None.
    :param token: the token that was used, or None.
    :param kind: ``"shared"`` or ``"api"``, the kind of that token.
    :param manifest: manifest of a shared token.
    :param rights: rights to files.
    :param folder: folder that limits an API token, or ``/``.
    """

    session_id: str = attrs.field(factory=_new_mark)
    username: Optional[str] = None
    token: Optional[str] = None
    kind: str = ""
    manifest: Optional[int] = None
    rights: FrozenSet[str] = RIGHTS
    folder: str = "/"
    superuser: bool = False
    wrangler: bool = False
    #: Ids of objects of former sessions that this session was given again.
    adopted: Set[int] = attrs.field(factory=set)
    #: Asynchronous requests by id.
    requests: Dict[int, Any] = attrs.field(factory=dict)
    last_request: int = 0

    @property
    def name(self) -> str:
        """Owner of new objects; empty for a shared token and without a login."""
        return "" if self.kind == "shared" else self.username or ""

    def become_user(self, user: str) -> None:
        """Log in by name and password."""
        if self.token is not None or self.username not in (None, user):
            self.session_id, self.adopted = _new_mark(), set()
        self._reset_rights()
        self.username = user

    def become_token(self, row: Row) -> None:
        """Log in by a token; objects of the session stay visible."""
        self._reset_rights()
        self.token, self.kind = row["token"], row["kind"]
        if self.kind == "shared":
            self.username, self.manifest, self.rights = None, row["manifest"], frozenset({"download"})
        else:
            self.username, self.folder = row["owner"], row["path"] or "/"
            self.rights = frozenset(json.loads(row["permissions"])) or RIGHTS

    def _reset_rights(self) -> None:
        self.token, self.kind, self.manifest = None, "", None
        self.rights, self.folder = RIGHTS, "/"
        self.superuser = self.wrangler = False


def require_login(backend: Backend, user: User) -> None:
    """Raise RpcError unless the caller is logged in.

    :raises RpcError: NotAuthenticated.
    """
    if user.token is not None:
        row = backend.database.find("tokens", token=user.token, deleted=0)
        if row is None or (row["expires"] is not None and row["expires"] <= backend.now_micros()):
            raise RpcError("NotAuthenticated", "the token is invalid or has expired")
    elif user.username is None and backend.site.auth_required:
        raise RpcError("NotAuthenticated", "log in first")


def is_logged_in(backend: Backend, user: User) -> bool:
    """Return True if the caller is logged in or no login is required."""
    return user.token is not None or user.username is not None or not backend.site.auth_required


def is_wrangler(backend: Backend, user: str) -> bool:
    """Return True if a user may be a wrangler."""
    if backend.site.may_be_superuser(user):
        return True
    for row in backend.database.fetchall("SELECT kind, name FROM wranglers"):
        members = (row["name"],) if row["kind"] == "user" else backend.site.groups.get(row["name"], ())
        if user in members:
            return True
    return False


def can_see(user: User, row: Row, table: str) -> bool:
    """Return True if the caller can see an object."""
    if row["deleted"]:
        return False
    if user.kind == "shared" and table == "manifests":
        return bool(row["id"] == user.manifest)
    if user.superuser or user.wrangler or _is_created_by(user, row):
        return True
    if user.token is not None and row["owner_token"] == user.token:
        return True
    if user.kind == "shared":
        return table == "tokens" and bool(row["token"] == user.token)
    if user.kind == "api" and user.folder != "/":
        # Objects of the token's creator may refer to files outside of its folder.
        return False
    no_owner = not user.name and row["owner_token"] is not None
    return bool(row["owner"] == user.name and not no_owner)


def _is_created_by(user: User, row: Row) -> bool:
    return row["session"] == user.session_id or row["id"] in user.adopted


def can_modify(user: User, row: Row, table: str) -> bool:
    """Return True if the caller may change a visible object; a shared token cannot change its manifest."""
    if user.kind != "shared":
        return True
    is_owner = _is_created_by(user, row) or row["owner_token"] == user.token
    return bool(is_owner and table in ("destinations", "transfers"))
