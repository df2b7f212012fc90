"""One call: who calls, with which parameters, on which server."""

import json
from typing import Any, Dict, List, Optional

import attrs

from smartxfer.local.database import Row, pick
from smartxfer.local.jetstream.backend import Backend
from smartxfer.local.jetstream.people import Person, may_change, sees
from smartxfer.local.jetstream.schema import TABLES
from smartxfer.local.jsonrpc import RpcError

__all__ = ["Backend", "Call", "Row", "RpcError", "bad", "not_found", "pick"]


def bad(message: str) -> RpcError:
    """The error for parameters that cannot be used."""
    return RpcError("InvalidParams", message)


def not_found(kind: str, id: Any) -> RpcError:
    """The error for what does not exist, or not for the caller."""
    return RpcError("NotFound", f"there is no {kind} {id}")


def _half(text: str) -> bool:
    """Whether text has half a character, as JSON can say and nothing else can hold."""
    return any("\ud800" <= sign <= "\udfff" for sign in text)


@attrs.frozen(eq=False)
class Call:
    """One call.

    :param backend: the server.
    :param person: who calls.
    :param method: name of the method.
    :param params: its parameters by name; those that are null are left out.
    """

    backend: Backend
    person: Person
    method: str
    params: Dict[str, Any]

    # -- parameters -------------------------------------------------------------------------------------

    def text(self, name: str, default: str = "") -> str:
        """A parameter that is text."""
        value = self.params.get(name, default)
        if not isinstance(value, str) or _half(value):
            raise bad(f"{name} is text")
        return value

    def whole(self, name: str, default: Optional[int] = None, least: int = 0) -> Optional[int]:
        """A parameter that is a whole number."""
        value = self.params.get(name, default)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 1 << 62:
            raise bad(f"{name} is a whole number of {least} or more")
        return value

    def seconds(self, name: str) -> Optional[float]:
        """A parameter that is a number of seconds."""
        value = self.params.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
            raise bad(f"{name} is a number of seconds")
        return float(value)

    def mapping(self, name: str) -> Dict[str, Any]:
        """A parameter that is an object."""
        value = self.params.get(name, {})
        if not isinstance(value, dict):
            raise bad(f"{name} is an object")
        return value

    def id(self, name: str) -> int:
        """A parameter that is an id; 0, which nothing has, for one that no server gives."""
        value = self.params.get(name)
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise bad(f"{name} is an id")
        text = str(value)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0

    # -- objects ----------------------------------------------------------------------------------------

    def find(self, kind: str, name: str = "") -> Row:
        """The object that a parameter names.

        :param kind: a name of :data:`~smartxfer.local.jetstream.schema.TABLES`.
        :param name: the parameter, by default that with the id of this kind.
        :raises RpcError: NotFound, it does not exist or not for the caller.
        """
        name = name or kind + "Id"
        row = self.look(kind, self.id(name))
        if row is None:
            raise not_found(kind, self.params[name])
        return row

    def look(self, kind: str, id: int) -> Optional[Row]:
        """The object with an id, None where there is none for the caller."""
        table = TABLES[kind]
        row = self.backend.database.find(table, id=id)
        return row if row is not None and sees(self.person, row, table) else None

    def own(self, kind: str, name: str = "") -> Row:
        """The same, to be changed.

        :raises RpcError: NotFound; PermissionDenied, the caller only uses it.
        """
        row = self.find(kind, name)
        self.permit_change(row, TABLES[kind])
        return row

    def permit_change(self, row: Row, table: str) -> None:
        """Turn away who may only use an object."""
        if not may_change(self.person, row, table):
            raise RpcError("PermissionDenied", "the token does not permit to change this")

    def all(self, kind: str) -> List[Row]:
        """Every object of a kind that the caller sees, oldest first."""
        table = TABLES[kind]
        rows = self.backend.database.select(table, "id", deleted=0)
        return [row for row in rows if sees(self.person, row, table)]

    def insert(self, kind: str, /, **columns: Any) -> Row:
        """Make an object of the caller's.

        :param columns: its columns beside those that say whose it is.
        """
        person, table, database = self.person, TABLES[kind], self.backend.database
        id = self.backend.new_id()
        database.insert(
            table,
            id=id,
            owner=person.name,
            owner_token=person.token,
            session=person.mark,
            user_data=json.dumps(self.mapping("userData")),
            **columns,
        )
        made = database.find(table, id=id)
        assert made is not None
        return made

    def owner_shown(self, row: Row) -> Dict[str, Any]:
        """The fields that say whose an object is, as the caller sees them."""
        shared = self.person.kind == "shared"
        by_token = row["owner_token"] if not shared or row["owner_token"] == self.person.token else None
        return {
            "owner": "" if shared else row["owner"],
            "ownerToken": by_token,
            "ownerTokenSession": row["session"] if by_token else None,
            "userData": json.loads(row["user_data"]),
        }
