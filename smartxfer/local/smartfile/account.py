"""What surrounds an account: rights, roles, preferences, activity, searches, SSH keys, access to paths.

Source: SmartFile protocol, sections 5 (Account, Paths) and 6.  Assumptions, for which no source was found:
that preferences, rights and roles come as arrays; the names of rights and roles beside those of the page;
that activity is listed latest first; that every keyword of a search must be in the name, in any case; that
fields of keys are kept and shown as they were sent.
"""

from typing import Callable, List

from smartxfer.local.smartfile import people
from smartxfer.local.smartfile.call import Call, Methods, Response, Routes, detail, field_error
from smartxfer.local.smartfile.paging import envelope
from smartxfer.local.smartfile.people import Item, sent, shown

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


_ACCESS: Routes = {
    "access/path": {"GET": access_path},
    "access/user": _access_methods("user"),
    "access/group": _access_methods("group"),
    "watch/paths": _watch_methods("paths"),
    "watch/users": _watch_methods("users"),
    "watch/groups": _watch_methods("groups"),
}


_ROLES = ("Administrator", "User")
_RIGHTS = (
    ("api_access", "May use the API."),
    ("ftp_access", "May connect by FTP."),
    ("link_create", "May make links."),
    ("sftp_access", "May connect by SFTP."),
    ("web_access", "May use the web site."),
)


def whoami(call: Call) -> Response:
    """Tell who asks: the nested answer, and the flat ``username`` of another source beside it."""
    user = call.backend.kept.get("user", call.user) or {"username": call.user}
    site = {"name": "local", "url": call.backend.url + "/"}
    return call.json({"address": "127.0.0.1", "user": shown(user), "site": site, "username": call.user})


def right(call: Call) -> Response:
    """List what a user may be allowed to do, as an array."""
    return call.json([{"name": name, "description": text} for name, text in _RIGHTS])


def role(call: Call) -> Response:
    """List the roles of users, as an array."""
    return call.json([{"name": name} for name in _ROLES])


def activity(call: Call) -> Response:
    """List what was done, latest first."""
    return envelope(call, call.backend.kept.all("activity")[::-1])


def all_prefs(call: Call) -> Response:
    """List the preferences that hold for who asks: their own before the site's."""
    found = {item["name"]: item for item in _prefs(call, "site") + _prefs(call, "user")}
    return call.json(list(found.values()))


def _pref_methods(scope: str) -> Methods:
    def get(call: Call) -> Response:
        return call.json(_prefs(call, scope))

    def post(call: Call) -> Response:
        name = call.required("name")
        item = {"name": name, "value": call.fields.get("value"), "of": _of(call, scope)}
        call.backend.kept.put("pref", "{}/{}".format(item["of"], name), item)
        return call.json({"name": name, "value": item["value"]})

    return {"GET": get, "POST": post}


def _of(call: Call, scope: str) -> str:
    return call.user if scope == "user" else ""


def _prefs(call: Call, scope: str) -> List[Item]:
    owner = _of(call, scope)
    kept = [item for item in call.backend.kept.all("pref") if item["of"] == owner]
    return [{"name": item["name"], "value": item["value"]} for item in kept]


def _search_methods(candidates: Callable[[Call], List[Item]]) -> Methods:
    """Search by ``keywords``: each must stand somewhere in the name, in any case."""

    def get(call: Call) -> Response:
        words = call.required("keywords").casefold().split()
        found = []
        for item in candidates(call):
            text = str(item.get("name", "")) + "\n" + str(item.get("username", ""))
            if all(word in text.casefold() for word in words):
                found.append(shown(item))
        return envelope(call, found)

    return {"GET": get}


def _every_path(call: Call) -> List[Item]:
    tree = call.backend.tree
    return [call.backend.info(node) for node in tree.walk(tree.find("/")) if node.path != "/"]


_SEARCHES: Routes = {
    "search/path": _search_methods(_every_path),
    "search/user": _search_methods(lambda call: call.backend.kept.all("user")),
    "search/group": _search_methods(lambda call: call.backend.kept.all("group")),
}


def _key_place(call: Call) -> str:
    if len(call.words) != 2:
        raise detail(404, "A key has a user and a name.")
    return "/".join(call.words)


def get_keys(call: Call) -> Response:
    """List the SSH keys of a user as an array, or show one."""
    if len(call.words) == 1:
        return call.json([key for key in call.backend.kept.all("sshkey") if key["user"] == call.words[0]])
    key = call.backend.kept.get("sshkey", _key_place(call))
    if key is None:
        raise detail(404, "No such key.")
    return call.json(key)


def put_key(call: Call) -> Response:
    """Keep an SSH key (PUT), or change fields of one (PATCH)."""
    place = _key_place(call)
    user, name = call.words
    if call.backend.kept.get("user", user) is None:
        raise detail(404, "No such user.")
    with call.backend.lock:
        known = call.backend.kept.get("sshkey", place)
        if known is None and call.request.method == "PATCH":
            raise detail(404, "No such key.")
        before = known if known is not None and call.request.method == "PATCH" else {}
        key: Item = {**before, **sent(call), "user": user, "name": name}
        call.backend.kept.put("sshkey", place, key)
    return call.json(key)


def delete_key(call: Call) -> Response:
    """Delete an SSH key."""
    if not call.backend.kept.delete("sshkey", _key_place(call)):
        raise detail(404, "No such key.")
    return call.empty(204)


#: Below ``api/3/``.
ROUTES_3: Routes = {
    "sshkeys": {"GET": get_keys, "PUT": put_key, "PATCH": put_key, "DELETE": delete_key},
}

#: Below ``api/2/``.
ROUTES: Routes = {
    "whoami": {"GET": whoami},
    "right": {"GET": right},
    "role": {"GET": role},
    "activity": {"GET": activity},
    "pref": {"GET": all_prefs},
    "pref/site": _pref_methods("site"),
    "pref/user": _pref_methods("user"),
    **people.ROUTES,
    **_SEARCHES,
    **_ACCESS,
}
