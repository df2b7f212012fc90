"""SSH keys of users, by API 3.

Source: SmartFile protocol, section 6.  Assumptions, for which no source was found: that fields are kept
and shown as they were sent, with ``user`` and ``name``; 200 for a new key.
"""

from smartxfer.local.http_messages import Response
from smartxfer.local.smartfile.answers import detail
from smartxfer.local.smartfile.call import Call, Routes
from smartxfer.local.smartfile.people import Item, sent

__all__ = ["ROUTES"]


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


ROUTES: Routes = {
    "sshkeys": {"GET": get_keys, "PUT": put_key, "PATCH": put_key, "DELETE": delete_key},
}
