"""Links that open a file or a directory to people without an account, and temporary URLs of one file.

Source: SmartFile protocol, section 5 (``link/``).  Assumptions, for which no source was found: the fields
``password``, ``expires`` (seconds from now) and ``usage_limit`` of a new link; that one with neither
``read`` nor ``list`` allows both; Basic credentials as the way to give a link's password; 404 for what a
link does not open, 403 for what it does not allow, 410 for one that is over; one hour for a temporary URL
where ``expires`` is not given, 404 once the time is over.
"""

import hmac
import html
import secrets
from typing import Any, Dict, List, Optional, Union
from urllib.parse import quote

from smartxfer.local.smartfile.call import (
    ApiError,
    Call,
    Response,
    Routes,
    detail,
    field_error,
    text_response,
)
from smartxfer.local.smartfile.nodes import Node
from smartxfer.local.smartfile.paging import envelope
from smartxfer.local.smartfile.paths import file_answer

Link = Dict[str, Any]

_KIND = "link"
#: Seconds that a direct URL lives when none are named.
_LIFE = 3600
#: Largest number that is taken: the seconds of ten years.
_MOST = 10 * 366 * 86400


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
    node = _existing(call, path)
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


def _existing(call: Call, path: str) -> Node:
    node = call.backend.tree.node(path)
    if node is None:
        raise field_error("path", f"No such file or directory: {path}")
    return node


def exchange(call: Call) -> Response:
    """Give a temporary URL that opens one file without credentials."""
    path, mode = call.required("path"), call.fields.get("mode") or "r"
    if mode != "r":
        raise field_error("mode", "Only r, for reading, is possible.")
    node = _existing(call, path)
    if node.isdir:
        raise field_error("path", f"Not a file: {path}")
    lifetime = whole_number(call, "expires")
    now, token = call.backend.now(), secrets.token_urlsafe(18)
    with call.backend.lock:
        known = call.backend.memory.setdefault("direct", {})
        for old in [name for name, (_, end) in known.items() if end <= now]:
            del known[old]
        known[token] = (node.path, now + (_LIFE if lifetime is None else lifetime))
    return call.json({"url": f"{call.backend.url}/direct/{token}{quote(node.path)}"})


def direct(call: Call) -> Response:
    """Send the file of a temporary URL."""
    token, path = (call.words[0] if call.words else ""), "/" + "/".join(call.words[1:])
    with call.backend.lock:
        granted, end = call.backend.memory.get("direct", {}).get(token, ("", 0.0))
    if granted != path or end <= call.backend.now():
        raise detail(404, "No such address, or its time is over.")
    return file_answer(call, call.backend.tree.find_file(path))


def whole_number(call: Call, name: str) -> Optional[int]:
    """A whole number of 0 or more among the arguments of a call.

    :param name: name of the argument.
    :return: the number; None where it is not given.
    :raises ApiError: 400, it is something else, or beyond all reason.
    """
    text = call.fields.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:12]) <= _MOST and len(text) < 12):
        raise field_error(name, "Enter a whole number.")
    return int(text)


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
        **{name: link[name] for name in ("name", "path")},
        "acl": {"list": link["list"], "read": link["read"], "remove": False, "write": False},
        "owner": link["owner"],
        "created": stamp(link["created"]),
        "expiration": None if link["expires"] is None else stamp(link["expires"]),
        **{name: link[name] for name in ("recursive", "usage_count", "usage_limit", "cache")},
    }


def _cache(text: str) -> Union[int, bool]:
    """The field ``cache`` as it was given: a number, or a switch."""
    if text.isascii() and text.isdigit():
        return int(text[:9])
    return text.lower() in ("true", "on", "yes")


def visit(call: Call) -> Response:
    """Open a link without an account: the file, a file below the directory, or the directory's page."""
    link = call.backend.kept.get("link", call.words[0]) if call.words else None
    if link is None:
        raise detail(404, "No such link.")
    _check_password(call, link)
    if link["expires"] is not None and link["expires"] <= call.backend.now():
        raise detail(410, "The link has expired.")
    node = _opened(call, link, call.words[1:])
    if node.isdir:
        if not link["list"]:
            raise detail(403, "The link does not allow to list.")
        return _listing(call, link, node)
    if not link["read"]:
        raise detail(403, "The link does not allow to read.")
    if call.request.method != "HEAD":
        _use(call, link["uid"])
    return file_answer(call, node)


def _opened(call: Call, link: Link, words: List[str]) -> Node:
    """What an address below a link opens: never anything outside what was linked."""
    missing = detail(404, "The link opens no such file.")
    tree = call.backend.tree
    base: Optional[Node] = tree.node(link["path"])
    if base is None:
        raise missing
    if not base.isdir:
        if words not in ([], [base.name]):
            raise missing
        return base
    if not words:
        return base
    node = tree.node("/".join([base.path.rstrip("/"), *words]))
    # Without `recursive`, files of the directory itself are all there is.
    if node is None or (not link["recursive"] and (len(words) > 1 or node.isdir)):
        raise missing
    return node


def _listing(call: Call, link: Link, node: Node) -> Response:
    items = []
    for child in call.backend.tree.children(node):
        if child.isdir and not link["recursive"]:
            continue
        mark = "/" if child.isdir else ""
        items.append(f'<li><a href="{quote(child.name)}{mark}">{html.escape(child.name)}{mark}</a></li>')
    title = html.escape(link["name"] or "/")
    page = "<html><title>{}</title><ul>{}</ul></html>".format(title, "".join(items))
    return text_response(200, page, "text/html; charset=utf-8")


def _check_password(call: Call, link: Link) -> None:
    """The password travels as that of Basic credentials, whatever the user name (an assumption)."""
    if not link["password"]:
        return
    given = call.request.authorization
    password = given.password if given is not None and given.password else ""
    if not hmac.compare_digest(password.encode("utf-8"), link["password"].encode("utf-8")):
        raise ApiError(401, None, [("WWW-Authenticate", 'Basic realm="link"')])


def _use(call: Call, uid: str) -> None:
    """Count a fetch; every request for bytes is one, a resumed stretch too."""
    with call.backend.lock:
        link = call.backend.kept.get("link", uid)
        if link is None:
            raise detail(404, "No such link.")
        if link["usage_limit"] is not None and link["usage_count"] >= link["usage_limit"]:
            raise detail(410, "The link was used as often as it may be.")
        link["usage_count"] += 1
        call.backend.kept.put("link", uid, link)


#: Below ``api/``, for who has an account.
ROUTES: Routes = {
    "link": {"GET": get, "POST": post, "DELETE": delete},
    "path/exchange": {"POST": exchange},
}
#: Outside ``api/``, open to all.
ROOT: Routes = {"link": {"GET": visit}, "direct": {"GET": direct}}
