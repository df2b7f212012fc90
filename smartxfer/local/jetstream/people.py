"""Who calls, and what they may see and do.

Source: JetStream protocol, sections 3, 3.1 and 9.6.
"""

import json
import secrets
from typing import Any, Dict, FrozenSet, Optional, Set

import attrs

from smartxfer.local.database import Row
from smartxfer.local.jetstream.backend import Backend
from smartxfer.local.jsonrpc import RpcError

#: What an API token may permit. Assumption: the vendor's names are not known.
RIGHTS: FrozenSet[str] = frozenset({"download", "upload", "modify", "share"})


def _mark() -> str:
    return secrets.token_hex(16)


@attrs.define(eq=False)
class Person:
    """Who is behind a session.

    :param user: who is logged in, None for nobody.
    :param token: the token that was shown, None for none.
    :param kind: ``"shared"`` or ``"api"``, the kind of that token.
    :param manifest: what a shared token is for.
    :param rights: what may be done with files.
    :param bound: folder that an API token is bound to, ``/`` for none.
    """

    mark: str = attrs.field(factory=_mark)
    user: Optional[str] = None
    token: Optional[str] = None
    kind: str = ""
    manifest: Optional[int] = None
    rights: FrozenSet[str] = RIGHTS
    bound: str = "/"
    superuser: bool = False
    wrangler: bool = False
    #: Ids of objects of former sessions that were handed out here again.
    held: Set[int] = attrs.field(factory=set)
    #: Asynchronous requests by id.
    requests: Dict[int, Any] = attrs.field(factory=dict)
    last_request: int = 0

    @property
    def name(self) -> str:
        """Name that what is made here belongs to; empty for a shared token, and for nobody."""
        return "" if self.kind == "shared" else self.user or ""

    def become_user(self, user: str) -> None:
        """Log in by name and password."""
        if self.token is not None or self.user not in (None, user):
            self.mark, self.held = _mark(), set()
        self._lose_rights()
        self.user = user

    def become_token(self, row: Row) -> None:
        """Log in by a token; what was made before in the session stays in sight."""
        self._lose_rights()
        self.token, self.kind = row["token"], row["kind"]
        if self.kind == "shared":
            self.user, self.manifest, self.rights = None, row["manifest"], frozenset({"download"})
        else:
            self.user, self.bound = row["owner"], row["path"] or "/"
            self.rights = frozenset(json.loads(row["permissions"])) or RIGHTS

    def _lose_rights(self) -> None:
        self.token, self.kind, self.manifest = None, "", None
        self.rights, self.bound = RIGHTS, "/"
        self.superuser = self.wrangler = False


def check(backend: Backend, person: Person) -> None:
    """Turn away who is not logged in (any more).

    :raises RpcError: NotAuthenticated.
    """
    if person.token is not None:
        row = backend.database.find("tokens", token=person.token, deleted=0)
        if row is None or (row["expires"] is not None and row["expires"] <= backend.micros()):
            raise RpcError("NotAuthenticated", "the token is no longer valid")
    elif person.user is None and backend.site.auth_required:
        raise RpcError("NotAuthenticated", "log in first")


def is_known(backend: Backend, person: Person) -> bool:
    """Return True for a person who is logged in, and for everyone where no login is wanted."""
    return person.token is not None or person.user is not None or not backend.site.auth_required


def is_wrangler(backend: Backend, user: str) -> bool:
    """Whether a user may be a wrangler."""
    if backend.site.may_be_superuser(user):
        return True
    for row in backend.database.rows("SELECT kind, name FROM wranglers"):
        members = (row["name"],) if row["kind"] == "user" else backend.site.groups.get(row["name"], ())
        if user in members:
            return True
    return False


def sees(person: Person, row: Row, table: str) -> bool:
    """Whether somebody may know of an object."""
    if row["deleted"]:
        return False
    if person.kind == "shared" and table == "manifests":
        return bool(row["id"] == person.manifest)
    if person.superuser or person.wrangler or _made_here(person, row):
        return True
    if person.token is not None and row["owner_token"] == person.token:
        return True
    if person.kind == "shared":
        return table == "tokens" and bool(row["token"] == person.token)
    if person.kind == "api" and person.bound != "/":
        # What the token's maker made may lie outside of its folder.
        return False
    nobodys = not person.name and row["owner_token"] is not None
    return bool(row["owner"] == person.name and not nobodys)


def _made_here(person: Person, row: Row) -> bool:
    return row["session"] == person.mark or row["id"] in person.held


def may_change(person: Person, row: Row, table: str) -> bool:
    """Whether somebody who sees an object may change or delete it: a shared token only uses its manifest."""
    if person.kind != "shared":
        return True
    mine = _made_here(person, row) or row["owner_token"] == person.token
    return bool(mine and table in ("destinations", "transfers"))
