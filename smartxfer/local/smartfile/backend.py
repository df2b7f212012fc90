"""What the site knows and keeps: configuration, credentials, users, files, activity, and its clock.

Source: SmartFile protocol, sections 2, 3 and 8.
"""

import datetime as dt
import json
import os
import secrets
from typing import Any, Dict, List, Optional
from urllib.parse import quote

from smartxfer.local import service
from smartxfer.local.body import Body
from smartxfer.local.database import Database
from smartxfer.local.objects import media_type
from smartxfer.local.options import random_word
from smartxfer.local.recent import Recent
from smartxfer.local.smartfile import nodes
from smartxfer.local.smartfile.nodes import Node, segments
from smartxfer.local.smartfile.oauth import OAuth
from smartxfer.local.smartfile.sessions import Sessions
from smartxfer.local.smartfile.site import Site
from smartxfer.local.smartfile.throttle import Throttle
from smartxfer.local.smartfile.tree import Tree

SCHEMA = """
CREATE TABLE IF NOT EXISTS kept (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL,
    UNIQUE (kind, id)
);
"""

Values = Dict[str, Any]


class Kept:
    """Records by kind and id.

    :param database: where they lie.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, kind: str, id: str, values: Values) -> None:
        """Keep a record; one of the same kind and id is replaced and keeps its place in the order."""
        self._database.run(
            "INSERT INTO kept (kind, id, value) VALUES (?,?,?)"
            " ON CONFLICT (kind, id) DO UPDATE SET value=excluded.value",
            kind,
            id,
            json.dumps(values),
        )

    def get(self, kind: str, id: str) -> Optional[Values]:
        """A record, None where there is none."""
        row = self._database.row("SELECT value FROM kept WHERE kind=? AND id=?", kind, id)
        return json.loads(row["value"]) if row is not None else None

    def all(self, kind: str) -> List[Values]:
        """Every record of a kind, oldest first."""
        rows = self._database.rows("SELECT value FROM kept WHERE kind=? ORDER BY number", kind)
        return [json.loads(row["value"]) for row in rows]

    def delete(self, kind: str, id: str) -> bool:
        """Forget a record.

        :return: whether there was one.
        """
        return self._database.change("DELETE FROM kept WHERE kind=? AND id=?", kind, id) > 0


#: Characters of a credential that is made here.
_LENGTH = 30


class Backend(service.Backend):
    """What every call works on."""

    site: Site
    schema = SCHEMA + nodes.SCHEMA

    def set_up(self) -> None:
        """Prepare the file tree, credentials and users."""
        site = self.site
        #: Which calls are turned away next.
        self.throttle = Throttle(site.throttle, site.throttle_style, site.throttle_next)
        #: State that need not outlive the process, by the name of the module that has it.
        self.memory: Dict[str, Any] = {}
        #: Bodies of uploads by the id that their client chose.
        self.uploads: Recent[str, Body] = Recent()
        self.kept = Kept(self.database)
        self.tree = Tree(self.database, self.data, self.now)
        self.username = next(iter(site.users))
        made = {name: self._secret(name) for name in site.secrets()}
        self.key, self.password = made["api_key"], made["password"]
        self.client_token, self.client_secret = made["client_token"], made["client_secret"]
        self._add_users()
        clients = {self.client_token: self.client_secret}
        self.oauth = OAuth(self.database, clients, self.username, site.verifier)
        self.sessions = Sessions(self.now)

    def close(self) -> None:
        """Close the files."""
        self.tree.close()
        super().close()

    def _secret(self, name: str) -> str:
        """A credential: as configured, as made before, or made now."""
        given: Optional[str] = getattr(self.site, name)
        known = self.kept.get("setting", name)
        value: str = given or (known or {}).get("value") or random_word(_LENGTH)
        self.kept.put("setting", name, {"value": value})
        return value

    def _add_users(self) -> None:
        for name, password in self.site.users.items():
            known = self.kept.get("user", name) or {
                "username": name,
                "name": name,
                "full_name": name.title(),
                "email": name if "@" in name else name + "@example.org",
                "role": "User",
            }
            self.kept.put("user", name, {**known, "password": password})

    def stamp(self, seconds: Optional[float] = None) -> str:
        """A time as answers have it: local time of the site's zone, which is not named.

        :param seconds: since 1970; None: now.
        """
        moment = self.now() if seconds is None else seconds
        local = dt.datetime.fromtimestamp(int(moment), self.site.time_zone)
        return local.replace(tzinfo=None).isoformat()

    def record(self, action: str, path: str, user: str) -> None:
        """Write into the account of activity.

        :param action: such as ``"upload"``.
        :param path: what it was done to.
        :param user: who did it.
        """
        id = secrets.token_hex(8)
        done = {"id": id, "action": action, "path": path, "user": user, "time": self.stamp()}
        self.kept.put("activity", id, done)

    def mime(self, node: Node) -> str:
        """Media type of an entry, by its name."""
        if node.isdir:
            return "application/x-directory"
        return media_type(node.name)

    def info(self, node: Node) -> Dict[str, Any]:
        """The info object of an entry (section 3).

        Assumption: ``extension`` of a file is its last suffix with the dot.
        """
        encoded = "".join("/" + quote(name, safe="-._~") for name in segments(node.path))
        return {
            "id": node.id, "name": node.name, "path": node.path,
            "url": f"{self.url}/api/2/path/info{encoded}/",
            "isdir": node.isdir,
            "isfile": not node.isdir,
            "size": node.size,
            "time": self.stamp(node.changed),
            "mime": self.mime(node),
            "extension": "" if node.isdir else os.path.splitext(node.name)[1],
            "owner": None,
            "tags": [],
            "attributes": self.tree.attributes(node),
            "items": node.items,
            "acl": {"list": True, "read": True, "remove": True, "write": True},
        }
