"""One call with its caller and parameters."""

import json
from typing import Any, Dict, List, Optional

import attrs

from smartxfer.local.database import Row, select_columns
from smartxfer.local.jetstream.backend import Backend
from smartxfer.local.jetstream.schema import TABLES
from smartxfer.local.jetstream.users import User, can_modify, can_see
from smartxfer.local.jsonrpc import RpcError

__all__ = ["Backend", "Call", "Row", "RpcError", "invalid_params", "not_found", "select_columns"]


def invalid_params(message: str) -> RpcError:
    """Return the error for invalid parameters."""
    return RpcError("InvalidParams", message)


def not_found(kind: str, id: Any) -> RpcError:
    """Return the error for a missing or invisible object."""
    return RpcError("NotFound", f"{kind} {id} does not exist")


def _split_id(text: str) -> bool:
    """Return True if a text contains a lone surrogate, which only JSON can represent."""
    return any("\ud800" <= sign <= "\udfff" for sign in text)


@attrs.frozen(eq=False)
class Call:
    """One call.

    :param backend: the server.
    :param user: the caller.
    :param method: name of the method.
    :param params: its parameters by name; without those that are null.
    """

    backend: Backend
    user: User
    method: str
    params: Dict[str, Any]

    # -- parameters -------------------------------------------------------------------------------------

    def text(self, name: str, default: str = "") -> str:
        """Return a string parameter."""
        value = self.params.get(name, default)
        if not isinstance(value, str) or _split_id(value):
            raise invalid_params(f"{name} is text")
        return value

    def integer(self, name: str, default: Optional[int] = None, minimum: int = 0) -> Optional[int]:
        """Return an integer parameter."""
        value = self.params.get(name, default)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value < 1 << 62:
            raise invalid_params(f"{name} is a whole number of {minimum} or more")
        return value

    def seconds(self, name: str) -> Optional[float]:
        """Return a parameter in seconds."""
        value = self.params.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
            raise invalid_params(f"{name} is a number of seconds")
        return float(value)

    def mapping(self, name: str) -> Dict[str, Any]:
        """Return an object parameter."""
        value = self.params.get(name, {})
        if not isinstance(value, dict):
            raise invalid_params(f"{name} is an object")
        return value

    def id(self, name: str) -> int:
        """Return an id parameter; 0, which no object has, for an impossible one."""
        value = self.params.get(name)
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise invalid_params(f"{name} is an id")
        text = str(value)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0

    # -- objects ----------------------------------------------------------------------------------------

    def find(self, kind: str, name: str = "") -> Row:
        """Return the object that a parameter names.

        :param kind: a name of :data:`~smartxfer.local.jetstream.schema.TABLES`.
        :param name: the parameter, by default that with the id of this kind.
        :raises RpcError: NotFound, the object does not exist or is not visible to the caller.
        """
        name = name or kind + "Id"
        row = self.lookup(kind, self.id(name))
        if row is None:
            raise not_found(kind, self.params[name])
        return row

    def lookup(self, kind: str, id: int) -> Optional[Row]:
        """Return the object with an id, or None if the caller cannot see one."""
        table = TABLES[kind]
        row = self.backend.database.find(table, id=id)
        return row if row is not None and can_see(self.user, row, table) else None

    def owned(self, kind: str, name: str = "") -> Row:
        """Return the object that a parameter names, for a modification.

        :raises RpcError: NotFound; PermissionDenied, the caller must not modify it.
        """
        row = self.find(kind, name)
        self.require_modify(row, TABLES[kind])
        return row

    def require_modify(self, row: Row, table: str) -> None:
        """Raise RpcError if the caller must not modify an object."""
        if not can_modify(self.user, row, table):
            raise RpcError("PermissionDenied", "the token does not permit to change this")

    def all(self, kind: str) -> List[Row]:
        """Return every object of a kind that the caller can see, oldest first."""
        table = TABLES[kind]
        rows = self.backend.database.select(table, "id", deleted=0)
        return [row for row in rows if can_see(self.user, row, table)]

    def insert(self, kind: str, /, **columns: Any) -> Row:
        """Insert an object of the caller.

        :param columns: its columns besides those of the owner.
        """
        user, table, database = self.user, TABLES[kind], self.backend.database
        id = self.backend.new_id()
        database.insert(
            table, id=id, owner=user.name, owner_token=user.token, session=user.session_id,
            user_data=json.dumps(self.mapping("userData")), **columns,
        )
        row = database.find(table, id=id)
        assert row is not None
        return row

    def serialize_owner(self, row: Row) -> Dict[str, Any]:
        """Return the fields about an object's owner, as the caller sees them."""
        shared = self.user.kind == "shared"
        by_token = row["owner_token"] if not shared or row["owner_token"] == self.user.token else None
        return {
            "owner": "" if shared else row["owner"], "ownerToken": by_token,
            "ownerTokenSession": row["session"] if by_token else None,
            "userData": json.loads(row["user_data"]),
        }
