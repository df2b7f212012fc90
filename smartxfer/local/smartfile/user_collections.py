"""Users and groups: lists of items that are created, changed and deleted by name.

Source: SmartFile protocol, section 5 (Account).  Assumptions, for which no source was found: the list
envelope; that fields beside those of the page are kept and shown as they were sent; 403 for deleting the
user whom the site belongs to.
"""

from typing import Any, Dict, Sequence

import attrs

from smartxfer.local.smartfile.call import ApiError, Call, Methods, Response, Routes, error_detail
from smartxfer.local.smartfile.pages import envelope

Item = Dict[str, Any]


def serialize(item: Item) -> Item:
    """Return an item without secret fields."""
    return {name: value for name, value in item.items() if name != "password"}


def parse_form(call: Call, repeated: Sequence[str] = ()) -> Item:
    """Return the fields of a call, without those of its signature."""
    item: Item = {}
    for name, value in call.fields.last().items():
        if not name.startswith("oauth_") and name != "format":
            item[name] = call.fields.all(name) if name in repeated else value
    return item


@attrs.frozen
class UserCollection:
    """Items that are listed, created, changed and deleted by name.

    :param kind: their kind in the store.
    :param id: the field that names an item, also in the path.
    :param required: required fields of a new item.
    :param repeated: fields with lists.
    :param defaults: default fields of a new item.
    """

    kind: str
    id: str
    required: Sequence[str] = ()
    repeated: Sequence[str] = ()
    defaults: Sequence[Sequence[str]] = ()

    @property
    def methods(self) -> Methods:
        """Return the methods of its route."""
        return {"GET": self.get, "POST": self.post, "PUT": self.put, "DELETE": self.delete}

    def get(self, call: Call) -> Response:
        """Return the items, or the one that the path names."""
        if call.segments:
            return call.json(serialize(self.find(call)))
        return envelope(call, [serialize(item) for item in call.backend.json_store.all(self.kind)])

    def post(self, call: Call) -> Response:
        """Create an item."""
        if call.segments:
            raise error_detail(405, "An item is made by a POST to the list.")
        errors = {name: ["This field is required."] for name in self.required if not call.fields.get(name)}
        name = call.fields.get(self.id)
        with call.backend.lock:
            if name and call.backend.json_store.get(self.kind, name) is not None:
                errors[self.id] = ["This name is taken."]
            if "/" in name or name in (".", ".."):
                errors[self.id] = ["This name has characters that no name may have."]
            if errors:
                raise ApiError(400, {"field_errors": errors})
            item: Item = {field: [] for field in self.repeated}
            item.update((field, value) for field, value in self.defaults)
            item.update(parse_form(call, self.repeated))
            call.backend.json_store.put(self.kind, name, item)
        return call.json(serialize(item), 201)

    def put(self, call: Call) -> Response:
        """Change fields of an item, except its name."""
        with call.backend.lock:
            item = self.find(call)
            item.update({**parse_form(call, self.repeated), self.id: item[self.id]})
            call.backend.json_store.put(self.kind, item[self.id], item)
        return call.json(serialize(item))

    def delete(self, call: Call) -> Response:
        """Delete an item."""
        item = self.find(call)
        if self.kind == "user" and item[self.id] == call.backend.username:
            raise error_detail(403, "The user that the site belongs to stays.")
        call.backend.json_store.delete(self.kind, item[self.id])
        return call.empty(204)

    def find(self, call: Call) -> Item:
        """Return the item that the path names.

        :raises ApiError: 404, it does not exist.
        """
        item = call.backend.json_store.get(self.kind, call.segments[0]) if len(call.segments) == 1 else None
        if item is None:
            raise error_detail(404, f"No such {self.kind}.")
        return item


USERS = UserCollection(
    "user", "username", ("username", "email", "password"), defaults=(("name", ""), ("role", "User"))
)
GROUPS = UserCollection("group", "name", ("name",), ("users",))

ROUTES: Routes = {"user": USERS.methods, "group": GROUPS.methods}
