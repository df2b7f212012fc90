"""Who asks, and what surrounds an account: rights, roles, preferences, activity.

Source: SmartFile protocol, section 5 (Account).  Assumptions, for which no source was found: that
preferences, rights and roles come as arrays; the names of rights and roles beside those of the page; that
activity is listed latest first.
"""

from typing import List

from smartxfer.local.http_messages import Response
from smartxfer.local.smartfile import access, people, searching, ssh_keys
from smartxfer.local.smartfile.call import Call, Methods, Routes
from smartxfer.local.smartfile.paging import envelope
from smartxfer.local.smartfile.people import Item, shown

__all__ = ["ROUTES", "ROUTES_3"]

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
    **searching.ROUTES,
    **access.ROUTES,
}
#: Below ``api/3/``.
ROUTES_3: Routes = ssh_keys.ROUTES
