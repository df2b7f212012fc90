"""Links opened by people without an account.

Source: SmartFile protocol, section 5 (``link/``).  Assumptions, for which no source was found: Basic
credentials as the way to give a link's password; 404 for what a link does not open, 403 for what it does
not allow, 410 for one that is over.
"""

import hmac
import html
from typing import Any, Dict, List, Optional
from urllib.parse import quote

from smartxfer.local.http_messages import Response, text_response
from smartxfer.local.smartfile.answers import ApiError, detail
from smartxfer.local.smartfile.call import Call
from smartxfer.local.smartfile.nodes import Node
from smartxfer.local.smartfile.paths import file_answer

__all__ = ["visit"]

Link = Dict[str, Any]


def visit(call: Call) -> Response:
    """Open a link without an account: the file, a file below the directory, or the directory's page."""
    link = call.backend.kept.get("link", call.words[0]) if call.words else None
    if link is None:
        raise detail(404, "No such link.")
    _check_password(call, link)
    if link["expires"] is not None and link["expires"] <= call.backend.now():
        raise detail(410, "The link has expired.")
    node = _target(call, link, call.words[1:])
    if node.isdir:
        if not link["list"]:
            raise detail(403, "The link does not allow to list.")
        return _page(call, link, node)
    if not link["read"]:
        raise detail(403, "The link does not allow to read.")
    if call.request.method != "HEAD":
        _use(call, link["uid"])
    return file_answer(call, node)


def _target(call: Call, link: Link, words: List[str]) -> Node:
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


def _page(call: Call, link: Link, node: Node) -> Response:
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
