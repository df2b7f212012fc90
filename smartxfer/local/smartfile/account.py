"""Calls about an account: rights, roles, preferences, activity, searches, SSH keys, access to paths.

Source: SmartFile protocol, sections 5 (Account, Paths) and 6.  Assumptions, for which no source was found:
that preferences, rights and roles are arrays; the names of rights and roles beside those of the page;
that activity is listed latest first; that every keyword of a search must be in the name, in any case; that
fields of keys are stored and shown as sent.
"""

from typing import Callable, List

from smartxfer.local.smartfile import user_collections
from smartxfer.local.smartfile.call import Call, Methods, Response, Routes, error_detail, field_error
from smartxfer.local.smartfile.pages import envelope
from smartxfer.local.smartfile.user_collections import Item, parse_form, serialize

_ACL = ("list", "read", "remove", "write")


def access_path(call: Call) -> Response:
    """Return the access rights to a path."""
    node = call.backend.tree.find(call.path)
    all_rights = dict.fromkeys(_ACL, True)
    users: List[Item] = [{"user": call.backend.username, "acl": all_rights}]
    users += [_grant_view(item, "user") for item in _grants_of(call, "user") if item["path"] == node.path]
    groups = [_grant_view(item, "group") for item in _grants_of(call, "group") if item["path"] == node.path]
    return call.json({"users": users, "groups": groups})


def _access_methods(user: str) -> Methods:
    """Return the methods for access of users or groups: one entry for each name and path."""

    def get(call: Call) -> Response:
        items = _grants_of(call, user)
        if call.segments:
            items = [item for item in items if item[user] == call.segments[0]]
        return call.json([{**_grant_view(item, user), "path": item["path"]} for item in items])

    def post(call: Call) -> Response:
        name = call.required(user)
        if call.backend.json_store.get(user, name) is None:
            raise field_error(user, f"No such {user}: {name}")
        item: Item = {user: name, "path": _existing(call), **{word: call.fields.is_on(word) for word in _ACL}}
        call.backend.json_store.put("access-" + user, name + item["path"], item)
        return call.json({**_grant_view(item, user), "path": item["path"]}, 201)

    return {"GET": get, "POST": post}


def _grants_of(call: Call, user: str) -> List[Item]:
    return call.backend.json_store.all("access-" + user)


def _grant_view(item: Item, user: str) -> Item:
    return {user: item[user], "acl": {word: item[word] for word in _ACL}}


def _watch_methods(path: str) -> Methods:
    """Return the methods for watches of paths, users or groups, stored as sent."""
    kind, needed = "watch-" + path, path[:-1]

    def get(call: Call) -> Response:
        return envelope(call, call.backend.json_store.all(kind))

    def post(call: Call) -> Response:
        if needed == "path":
            _existing(call)
        else:
            call.required(needed)
        fields = parse_form(call)
        item: Item = {}
        item.update((name, fields[name]) for name in ("path", "user", "group") if name in fields)
        call.backend.json_store.put(kind, "\n".join(f"{name}={item[name]}" for name in item), item)
        return call.json(item, 201)

    return {"GET": get, "POST": post}


def _existing(call: Call) -> str:
    """Return the path that a call names, which must exist."""
    path = call.required("path")
    node = call.backend.tree.node(path)
    if node is None:
        raise field_error("path", f"No such file or directory: {path}")
    return node.path


_ACCESS: Routes = {
    "access/path": {"GET": access_path}, "access/user": _access_methods("user"),
    "access/group": _access_methods("group"), "watch/paths": _watch_methods("paths"),
    "watch/users": _watch_methods("users"), "watch/groups": _watch_methods("groups"),
}


_ROLES = ("Administrator", "User")
_RIGHTS = (
    ("api_access", "May use the API."), ("ftp_access", "May connect by FTP."),
    ("link_create", "May make links."), ("sftp_access", "May connect by SFTP."),
    ("web_access", "May use the web site."),
)


def whoami(call: Call) -> Response:
    """Return the caller: the nested object, and the flat ``username`` of another source."""
    user = call.backend.json_store.get("user", call.user) or {"username": call.user}
    site = {"name": "local", "url": call.backend.url + "/"}
    return call.json({"address": "127.0.0.1", "user": serialize(user), "site": site, "username": call.user})


def right(call: Call) -> Response:
    """Return the existing rights as an array."""
    return call.json([{"name": name, "description": text} for name, text in _RIGHTS])


def role(call: Call) -> Response:
    """Return the roles of users as an array."""
    return call.json([{"name": name} for name in _ROLES])


def activity(call: Call) -> Response:
    """Return the activity, latest first."""
    return envelope(call, call.backend.json_store.all("activity")[::-1])


def all_prefs(call: Call) -> Response:
    """Return the preferences for the caller: their own before the site's."""
    prefs = {item["name"]: item for item in _prefs(call, "site") + _prefs(call, "user")}
    return call.json(list(prefs.values()))


def _pref_methods(scope: str) -> Methods:
    def get(call: Call) -> Response:
        return call.json(_prefs(call, scope))

    def post(call: Call) -> Response:
        name = call.required("name")
        item = {"name": name, "value": call.fields.get("value"), "of": _preferences_of(call, scope)}
        call.backend.json_store.put("pref", "{}/{}".format(item["of"], name), item)
        return call.json({"name": name, "value": item["value"]})

    return {"GET": get, "POST": post}


def _preferences_of(call: Call, scope: str) -> str:
    return call.user if scope == "user" else ""


def _prefs(call: Call, scope: str) -> List[Item]:
    owner = _preferences_of(call, scope)
    stored = [item for item in call.backend.json_store.all("pref") if item["of"] == owner]
    return [{"name": item["name"], "value": item["value"]} for item in stored]


def _search_methods(candidates: Callable[[Call], List[Item]]) -> Methods:
    """Return the methods of a search by ``keywords``, which must all be in the name, in any case."""

    def get(call: Call) -> Response:
        segments = call.required("keywords").casefold().split()
        prefs = []
        for item in candidates(call):
            text = str(item.get("name", "")) + "\n" + str(item.get("username", ""))
            if all(word in text.casefold() for word in segments):
                prefs.append(serialize(item))
        return envelope(call, prefs)

    return {"GET": get}


def _every_path(call: Call) -> List[Item]:
    tree = call.backend.tree
    return [call.backend.info(node) for node in tree.walk(tree.find("/")) if node.path != "/"]


_SEARCHES: Routes = {
    "search/path": _search_methods(_every_path),
    "search/user": _search_methods(lambda call: call.backend.json_store.all("user")),
    "search/group": _search_methods(lambda call: call.backend.json_store.all("group")),
}


def _key_place(call: Call) -> str:
    if len(call.segments) != 2:
        raise error_detail(404, "A key has a user and a name.")
    return "/".join(call.segments)


def get_keys(call: Call) -> Response:
    """List the SSH keys of a user as an array, or show one."""
    if len(call.segments) == 1:
        return call.json(
            [key for key in call.backend.json_store.all("sshkey") if key["user"] == call.segments[0]]
        )
    key = call.backend.json_store.get("sshkey", _key_place(call))
    if key is None:
        raise error_detail(404, "No such key.")
    return call.json(key)


def put_key(call: Call) -> Response:
    """Store an SSH key (PUT), or change fields of one (PATCH)."""
    place = _key_place(call)
    user, name = call.segments
    if call.backend.json_store.get("user", user) is None:
        raise error_detail(404, "No such user.")
    with call.backend.lock:
        known = call.backend.json_store.get("sshkey", place)
        if known is None and call.request.method == "PATCH":
            raise error_detail(404, "No such key.")
        before = known if known is not None and call.request.method == "PATCH" else {}
        key: Item = {**before, **parse_form(call), "user": user, "name": name}
        call.backend.json_store.put("sshkey", place, key)
    return call.json(key)


def delete_key(call: Call) -> Response:
    """Delete an SSH key."""
    if not call.backend.json_store.delete("sshkey", _key_place(call)):
        raise error_detail(404, "No such key.")
    return call.empty(204)


#: Below ``api/3/``.
ROUTES_3: Routes = {
    "sshkeys": {"GET": get_keys, "PUT": put_key, "PATCH": put_key, "DELETE": delete_key},
}

#: Below ``api/2/``.
ROUTES: Routes = {
    "whoami": {"GET": whoami}, "right": {"GET": right}, "role": {"GET": role}, "activity": {"GET": activity},
    "pref": {"GET": all_prefs}, "pref/site": _pref_methods("site"), "pref/user": _pref_methods("user"),
    **user_collections.ROUTES, **_SEARCHES, **_ACCESS,
}
