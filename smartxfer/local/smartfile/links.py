"""Links that open a file or a directory to people without an account: made, listed, ended.

Source: SmartFile protocol, section 5 (``link/``).  Assumptions, for which no source was found: the fields
``password``, ``expires`` (seconds from now) and ``usage_limit`` of a new link; that one with neither
``read`` nor ``list`` allows both.
"""

import secrets
from typing import Any, Dict, Union

from smartxfer.local.http_messages import Response
from smartxfer.local.smartfile.answers import detail, field_error
from smartxfer.local.smartfile.call import Call, Routes
from smartxfer.local.smartfile.direct import direct, exchange, whole_number
from smartxfer.local.smartfile.paging import envelope
from smartxfer.local.smartfile.visits import visit

__all__ = ["ROOT", "ROUTES"]

Link = Dict[str, Any]

_KIND = "link"


def get(call: Call) -> Response:
    """List the links of who asks, or show one."""
    if call.words:
        return call.json(_view(call, _own(call)))
    links = [link for link in call.backend.kept.all(_KIND) if link["owner"] == call.user]
    return envelope(call, [_view(call, link) for link in links])


def post(call: Call) -> Response:
    """Make a link to ``path``."""
    if call.words:
        raise detail(405, "A link is made by a POST to the list.")
    fields, backend = call.fields, call.backend
    path = call.required("path")
    node = backend.tree.node(path)
    if node is None:
        raise field_error("path", f"No such file or directory: {path}")
    # With neither named, a link is for looking and fetching.
    plain = "read" not in fields and "list" not in fields
    lifetime = whole_number(call, "expires")
    link: Link = {
        "uid": secrets.token_urlsafe(9),
        "name": fields.get("name") or node.name,
        "path": node.path,
        "read": plain or fields.on("read"),
        "list": plain or fields.on("list"),
        "owner": call.user,
        "created": backend.now(),
        "expires": None if lifetime is None else backend.now() + lifetime,
        "recursive": fields.on("recursive"),
        "usage_count": 0,
        "usage_limit": whole_number(call, "usage_limit") or None,
        "cache": _cache(fields.get("cache")),
        "password": fields.get("password"),
    }
    backend.kept.put(_KIND, link["uid"], link)
    backend.record("link", node.path, call.user)
    return call.json(_view(call, link), 201)


def delete(call: Call) -> Response:
    """End a link."""
    call.backend.kept.delete(_KIND, _own(call)["uid"])
    return call.empty(204)


#: Below ``api/``, for who has an account.
ROUTES: Routes = {
    "link": {"GET": get, "POST": post, "DELETE": delete},
    "path/exchange": {"POST": exchange},
}
#: Outside ``api/``, open to all.
ROOT: Routes = {"link": {"GET": visit}, "direct": {"GET": direct}}


def _own(call: Call) -> Link:
    """The link that the path names, which must be who asks' own."""
    link = call.backend.kept.get(_KIND, call.words[0]) if len(call.words) == 1 else None
    if link is None or link["owner"] != call.user:
        raise detail(404, "No such link.")
    return link


def _view(call: Call, link: Link) -> Dict[str, Any]:
    """A link as the API shows it; the password is never shown."""
    stamp = call.backend.stamp
    return {
        "uid": link["uid"],
        "href": "{}/link/{}/".format(call.backend.url, link["uid"]),
        "name": link["name"],
        "path": link["path"],
        "acl": {"list": link["list"], "read": link["read"], "remove": False, "write": False},
        "owner": link["owner"],
        "created": stamp(link["created"]),
        "expiration": None if link["expires"] is None else stamp(link["expires"]),
        "recursive": link["recursive"],
        "usage_count": link["usage_count"],
        "usage_limit": link["usage_limit"],
        "cache": link["cache"],
    }


def _cache(text: str) -> Union[int, bool]:
    """The field ``cache`` as it was given: a number, or a switch."""
    if text.isascii() and text.isdigit():
        return int(text[:9])
    return text.lower() in ("true", "on", "yes")
