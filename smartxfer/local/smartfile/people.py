"""Users and groups: lists of items that are made, changed and deleted by one name.

Source: SmartFile protocol, section 5 (Account).  Assumptions, for which no source was found: the list
envelope; that fields beside those of the page are kept and shown as they were sent; 403 for deleting the
user whom the site belongs to.
"""

from typing import Any, Dict, Sequence

import attrs

from smartxfer.local.smartfile.call import ApiError, Call, Methods, Response, Routes, detail
from smartxfer.local.smartfile.paging import envelope

Item = Dict[str, Any]


def shown(item: Item) -> Item:
    """An item without what must not be shown."""
    return {name: value for name, value in item.items() if name != "password"}


def sent(call: Call, repeated: Sequence[str] = ()) -> Item:
    """The fields of a call, those of its signature left out."""
    found: Item = {}
    for name, value in call.fields.last().items():
        if not name.startswith("oauth_") and name != "format":
            found[name] = call.fields.all(name) if name in repeated else value
    return found


@attrs.frozen
class Collection:
    """Items that are listed, made, changed and deleted by one name.

    :param kind: what they are kept as.
    :param id: the field that names an item, and stands in the path.
    :param needed: fields that a new item must have.
    :param repeated: fields that hold lists.
    :param start: fields of a new item that was sent without them.
    """

    kind: str
    id: str
    needed: Sequence[str] = ()
    repeated: Sequence[str] = ()
    start: Sequence[Sequence[str]] = ()

    @property
    def methods(self) -> Methods:
        """What its route answers."""
        return {"GET": self.get, "POST": self.post, "PUT": self.put, "DELETE": self.delete}

    def get(self, call: Call) -> Response:
        """List the items, or show the one that the path names."""
        if call.words:
            return call.json(shown(self.find(call)))
        return envelope(call, [shown(item) for item in call.backend.kept.all(self.kind)])

    def post(self, call: Call) -> Response:
        """Make an item."""
        if call.words:
            raise detail(405, "An item is made by a POST to the list.")
        errors = {name: ["This field is required."] for name in self.needed if not call.fields.get(name)}
        name = call.fields.get(self.id)
        with call.backend.lock:
            if name and call.backend.kept.get(self.kind, name) is not None:
                errors[self.id] = ["This name is taken."]
            if "/" in name or name in (".", ".."):
                errors[self.id] = ["This name has characters that no name may have."]
            if errors:
                raise ApiError(400, {"field_errors": errors})
            item: Item = {field: [] for field in self.repeated}
            item.update((field, value) for field, value in self.start)
            item.update(sent(call, self.repeated))
            call.backend.kept.put(self.kind, name, item)
        return call.json(shown(item), 201)

    def put(self, call: Call) -> Response:
        """Change fields of an item; its name stays."""
        with call.backend.lock:
            item = self.find(call)
            item.update({**sent(call, self.repeated), self.id: item[self.id]})
            call.backend.kept.put(self.kind, item[self.id], item)
        return call.json(shown(item))

    def delete(self, call: Call) -> Response:
        """Delete an item."""
        item = self.find(call)
        if self.kind == "user" and item[self.id] == call.backend.username:
            raise detail(403, "The user that the site belongs to stays.")
        call.backend.kept.delete(self.kind, item[self.id])
        return call.empty(204)

    def find(self, call: Call) -> Item:
        """The item that the path names.

        :raises ApiError: 404, there is none.
        """
        item = call.backend.kept.get(self.kind, call.words[0]) if len(call.words) == 1 else None
        if item is None:
            raise detail(404, f"No such {self.kind}.")
        return item


USERS = Collection(
    "user", "username", ("username", "email", "password"), start=(("name", ""), ("role", "User"))
)
GROUPS = Collection("group", "name", ("name",), ("users",))

ROUTES: Routes = {"user": USERS.methods, "group": GROUPS.methods}
