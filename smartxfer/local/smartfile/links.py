"""Public links to a file or a directory, and temporary URLs of a file.

Source: SmartFile protocol, section 5 (``link/``).  Assumptions, for which no source was found: the fields
``password``, ``expires`` (seconds from now) and ``usage_limit`` of a new link; that one with neither
``read`` nor ``list`` allows both; Basic credentials for a link's password; 404 for what a
link does not contain, 403 for what it does not allow, 410 for an expired one; one hour for a temporary URL
without ``expires``, 404 once it has expired.
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
    error_detail,
    field_error,
    text_response,
)
from smartxfer.local.smartfile.file_nodes import Node
from smartxfer.local.smartfile.pages import envelope
from smartxfer.local.smartfile.path_info import file_response

Link = Dict[str, Any]

_KIND = "link"
#: Default lifetime of a direct URL in seconds.
_LIFE = 3600
#: Largest accepted number: ten years in seconds.
_MOST = 10 * 366 * 86400


def get(call: Call) -> Response:
    """Return the links of the caller, or one of them."""
    if call.segments:
        return call.json(_view(call, _own_link(call)))
    links = [link for link in call.backend.json_store.all(_KIND) if link["owner"] == call.user]
    return envelope(call, [_view(call, link) for link in links])


def post(call: Call) -> Response:
    """Create a link to ``path``."""
    if call.segments:
        raise error_detail(405, "A link is made by a POST to the list.")
    fields, backend = call.fields, call.backend
    path = call.required("path")
    node = _existing(call, path)
    # Without both a link permits to list and to download.
    plain = "read" not in fields and "list" not in fields
    lifetime = whole_number(call, "expires")
    link: Link = {
        "uid": secrets.token_urlsafe(9), "name": fields.get("name") or node.name, "path": node.path,
        "read": plain or fields.is_on("read"), "list": plain or fields.is_on("list"), "owner": call.user,
        "created": backend.now(), "expires": None if lifetime is None else backend.now() + lifetime,
        "recursive": fields.is_on("recursive"), "usage_count": 0,
        "usage_limit": whole_number(call, "usage_limit") or None,
        "cache": _cache_seconds(fields.get("cache")), "password": fields.get("password"),
    }
    backend.json_store.put(_KIND, link["uid"], link)
    backend.record("link", node.path, call.user)
    return call.json(_view(call, link), 201)


def delete(call: Call) -> Response:
    """Delete a link."""
    call.backend.json_store.delete(_KIND, _own_link(call)["uid"])
    return call.empty(204)


def _existing(call: Call, path: str) -> Node:
    node = call.backend.tree.node(path)
    if node is None:
        raise field_error("path", f"No such file or directory: {path}")
    return node


def exchange(call: Call) -> Response:
    """Return a temporary URL of a file that needs no credentials."""
    path, mode = call.required("path"), call.fields.get("mode") or "r"
    if mode != "r":
        raise field_error("mode", "Only r, for reading, is possible.")
    node = _existing(call, path)
    if node.isdir:
        raise field_error("path", f"Not a file: {path}")
    lifetime = whole_number(call, "expires")
    now, token = call.backend.now(), secrets.token_urlsafe(18)
    with call.backend.lock:
        known = call.backend.recent.setdefault("direct", {})
        for old in [name for name, (_, end) in known.items() if end <= now]:
            del known[old]
        known[token] = (node.path, now + (_LIFE if lifetime is None else lifetime))
    return call.json({"url": f"{call.backend.url}/direct/{token}{quote(node.path)}"})


def direct(call: Call) -> Response:
    """Send the file of a temporary URL."""
    token, path = (call.segments[0] if call.segments else ""), "/" + "/".join(call.segments[1:])
    with call.backend.lock:
        granted, end = call.backend.recent.get("direct", {}).get(token, ("", 0.0))
    if granted != path or end <= call.backend.now():
        raise error_detail(404, "No such address, or its time is over.")
    return file_response(call, call.backend.tree.find_file(path))


def whole_number(call: Call, name: str) -> Optional[int]:
    """Return an integer argument of 0 or more.

    :param name: name of the argument.
    :return: the number; None if missing.
    :raises ApiError: 400, it is invalid or too large.
    """
    text = call.fields.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:12]) <= _MOST and len(text) < 12):
        raise field_error(name, "Enter a whole number.")
    return int(text)


def _own_link(call: Call) -> Link:
    """Return the link that the path names, which must belong to the caller."""
    link = call.backend.json_store.get(_KIND, call.segments[0]) if len(call.segments) == 1 else None
    if link is None or link["owner"] != call.user:
        raise error_detail(404, "No such link.")
    return link


def _view(call: Call, link: Link) -> Dict[str, Any]:
    """Return a link as the API shows it, without the password."""
    stamp = call.backend.stamp
    return {
        "uid": link["uid"], "href": "{}/link/{}/".format(call.backend.url, link["uid"]),
        **{name: link[name] for name in ("name", "path")},
        "acl": {"list": link["list"], "read": link["read"], "remove": False, "write": False},
        "owner": link["owner"], "created": stamp(link["created"]),
        "expiration": None if link["expires"] is None else stamp(link["expires"]),
        **{name: link[name] for name in ("recursive", "usage_count", "usage_limit", "cache")},
    }


def _cache_seconds(text: str) -> Union[int, bool]:
    """Return the field ``cache`` as given: a number, or a switch."""
    if text.isascii() and text.isdigit():
        return int(text[:9])
    return text.lower() in ("true", "on", "yes")


def visit(call: Call) -> Response:
    """Handle a visit of a link: the file, a file below the directory, or the directory's page."""
    link = call.backend.json_store.get("link", call.segments[0]) if call.segments else None
    if link is None:
        raise error_detail(404, "No such link.")
    _check_password(call, link)
    if link["expires"] is not None and link["expires"] <= call.backend.now():
        raise error_detail(410, "The link has expired.")
    node = _open_link(call, link, call.segments[1:])
    if node.isdir:
        if not link["list"]:
            raise error_detail(403, "The link does not allow to list.")
        return _listing(call, link, node)
    if not link["read"]:
        raise error_detail(403, "The link does not allow to read.")
    if call.request.method != "HEAD":
        _count_use(call, link["uid"])
    return file_response(call, node)


def _open_link(call: Call, link: Link, segments: List[str]) -> Node:
    """Return the entry below a link; entries outside of the link are not accessible."""
    missing = error_detail(404, "The link opens no such file.")
    tree = call.backend.tree
    base: Optional[Node] = tree.node(link["path"])
    if base is None:
        raise missing
    if not base.isdir:
        if segments not in ([], [base.name]):
            raise missing
        return base
    if not segments:
        return base
    node = tree.node("/".join([base.path.rstrip("/"), *segments]))
    # Without `recursive` only the files of the directory itself are accessible.
    if node is None or (not link["recursive"] and (len(segments) > 1 or node.isdir)):
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
    """Check the password in Basic credentials with any user name (an assumption)."""
    if not link["password"]:
        return
    value = call.request.authorization
    password = value.password if value is not None and value.password else ""
    if not hmac.compare_digest(password.encode("utf-8"), link["password"].encode("utf-8")):
        raise ApiError(401, None, [("WWW-Authenticate", 'Basic realm="link"')])


def _count_use(call: Call, uid: str) -> None:
    """Count a download; every request for bytes counts, resumed ones too."""
    with call.backend.lock:
        link = call.backend.json_store.get("link", uid)
        if link is None:
            raise error_detail(404, "No such link.")
        if link["usage_limit"] is not None and link["usage_count"] >= link["usage_limit"]:
            raise error_detail(410, "The link was used as often as it may be.")
        link["usage_count"] += 1
        call.backend.json_store.put("link", uid, link)


#: Below ``api/``, with credentials.
ROUTES: Routes = {
    "link": {"GET": get, "POST": post, "DELETE": delete},
    "path/exchange": {"POST": exchange},
}
#: Outside ``api/``, without credentials.
ROOT: Routes = {"link": {"GET": visit}, "direct": {"GET": direct}}
