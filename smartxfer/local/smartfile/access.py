"""Who may do what with a path, and who watches what.

Source: SmartFile protocol, section 5 (Paths).  Assumptions, for which no source was found: that the id of
``access/user/`` and ``access/group/`` is a name; arrays there, the list envelope for watches.  Both are
written down and shown, and bind nobody.
"""

from typing import List

from smartxfer.local.http_messages import Response
from smartxfer.local.smartfile.answers import field_error
from smartxfer.local.smartfile.call import Call, Methods, Routes
from smartxfer.local.smartfile.paging import envelope
from smartxfer.local.smartfile.people import Item, sent

__all__ = ["ROUTES"]

_ACL = ("list", "read", "remove", "write")


def access_path(call: Call) -> Response:
    """Tell who may do what with a path."""
    node = call.backend.tree.find(call.path)
    everything = dict.fromkeys(_ACL, True)
    users: List[Item] = [{"user": call.backend.username, "acl": everything}]
    users += [_grant_view(item, "user") for item in _grants(call, "user") if item["path"] == node.path]
    groups = [_grant_view(item, "group") for item in _grants(call, "group") if item["path"] == node.path]
    return call.json({"users": users, "groups": groups})


def _access_methods(who: str) -> Methods:
    """Access of users or of groups: one entry for each name and path; the path's id is the name."""

    def get(call: Call) -> Response:
        items = _grants(call, who)
        if call.words:
            items = [item for item in items if item[who] == call.words[0]]
        return call.json([{**_grant_view(item, who), "path": item["path"]} for item in items])

    def post(call: Call) -> Response:
        name = call.required(who)
        if call.backend.kept.get(who, name) is None:
            raise field_error(who, f"No such {who}: {name}")
        item: Item = {who: name, "path": _existing(call), **{word: call.fields.on(word) for word in _ACL}}
        call.backend.kept.put("access-" + who, name + item["path"], item)
        return call.json({**_grant_view(item, who), "path": item["path"]}, 201)

    return {"GET": get, "POST": post}


def _grants(call: Call, who: str) -> List[Item]:
    return call.backend.kept.all("access-" + who)


def _grant_view(item: Item, who: str) -> Item:
    return {who: item[who], "acl": {word: item[word] for word in _ACL}}


def _watch_methods(what: str) -> Methods:
    """What is watched: paths, users or groups; ``path``, ``user`` and ``group`` are kept as sent."""
    kind, needed = "watch-" + what, what[:-1]

    def get(call: Call) -> Response:
        return envelope(call, call.backend.kept.all(kind))

    def post(call: Call) -> Response:
        if needed == "path":
            _existing(call)
        else:
            call.required(needed)
        fields = sent(call)
        item: Item = {}
        item.update((name, fields[name]) for name in ("path", "user", "group") if name in fields)
        call.backend.kept.put(kind, "\n".join(f"{name}={item[name]}" for name in item), item)
        return call.json(item, 201)

    return {"GET": get, "POST": post}


def _existing(call: Call) -> str:
    """The path that a call names, which must exist."""
    path = call.required("path")
    node = call.backend.tree.node(path)
    if node is None:
        raise field_error("path", f"No such file or directory: {path}")
    return node.path


ROUTES: Routes = {
    "access/path": {"GET": access_path},
    "access/user": _access_methods("user"),
    "access/group": _access_methods("group"),
    "watch/paths": _watch_methods("paths"),
    "watch/users": _watch_methods("users"),
    "watch/groups": _watch_methods("groups"),
}
