"""State of the site: configuration, credentials, users, files, activity and clock.

Source: SmartFile protocol, sections 2, 3 and 8.
"""

import datetime as dt
import json
import os
import secrets
from typing import Any, Dict, List, Optional
from urllib.parse import quote

from smartxfer.local import service
from smartxfer.local.bounded_dict import BoundedDict
from smartxfer.local.database import Database
from smartxfer.local.object_store import media_type
from smartxfer.local.options import random_word
from smartxfer.local.request_body import RequestBody
from smartxfer.local.smartfile import file_nodes
from smartxfer.local.smartfile.file_nodes import Node, segments
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


class JsonStore:
    """JSON records by kind and id.

    :param database: database of the records.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, kind: str, id: str, values: Values) -> None:
        """Store a record; an existing one is replaced and keeps its position."""
        self._database.execute(
            "INSERT INTO kept (kind, id, value) VALUES (?,?,?)"
            " ON CONFLICT (kind, id) DO UPDATE SET value=excluded.value",
            kind,
            id,
            json.dumps(values),
        )

    def get(self, kind: str, id: str) -> Optional[Values]:
        """Return a record, or None."""
        row = self._database.fetchone("SELECT value FROM kept WHERE kind=? AND id=?", kind, id)
        return json.loads(row["value"]) if row is not None else None

    def all(self, kind: str) -> List[Values]:
        """Return every record of a kind, oldest first."""
        rows = self._database.fetchall("SELECT value FROM kept WHERE kind=? ORDER BY number", kind)
        return [json.loads(row["value"]) for row in rows]

    def delete(self, kind: str, id: str) -> bool:
        """Delete a record.

        :return: True if it existed.
        """
        return self._database.execute_count("DELETE FROM kept WHERE kind=? AND id=?", kind, id) > 0


#: Length of generated credentials.
_LENGTH = 30


class Backend(service.Backend):
    """State of the site."""

    site: Site
    schema = SCHEMA + file_nodes.SCHEMA

    def set_up(self) -> None:
        """Prepare the file tree, credentials and users."""
        site = self.site
        #: Throttling of the next calls.
        self.throttle = Throttle(site.throttle, site.throttle_style, site.throttle_next)
        #: State that is lost at a restart, by the name of its module.
        self.recent: Dict[str, Any] = {}
        #: Bodies of uploads by the id that the client chose.
        self.uploads: BoundedDict[str, RequestBody] = BoundedDict()
        self.json_store = JsonStore(self.database)
        self.tree = Tree(self.database, self.data, self.now)
        self.username = next(iter(site.users))
        values = {name: self._secret(name) for name in site.secrets()}
        self.key, self.password = values["api_key"], values["password"]
        self.client_token, self.client_secret = values["client_token"], values["client_secret"]
        self._add_users()
        clients = {self.client_token: self.client_secret}
        self.oauth = OAuth(self.database, clients, self.username, site.verifier)
        self.sessions = Sessions(self.now)

    def close(self) -> None:
        """Close the files."""
        self.tree.close()
        super().close()

    def _secret(self, name: str) -> str:
        """Return a credential: configured, stored, or newly generated."""
        configured: Optional[str] = getattr(self.site, name)
        known = self.json_store.get("setting", name)
        value: str = configured or (known or {}).get("value") or random_word(_LENGTH)
        self.json_store.put("setting", name, {"value": value})
        return value

    def _add_users(self) -> None:
        for name, password in self.site.users.items():
            known = self.json_store.get("user", name) or {
                "username": name, "name": name, "full_name": name.title(),
                "email": name if "@" in name else name + "@example.org", "role": "User",
            }
            self.json_store.put("user", name, {**known, "password": password})

    def stamp(self, seconds: Optional[float] = None) -> str:
        """Return a time as in responses: local time of the site, without zone.

        :param seconds: since 1970; None: now.
        """
        moment = self.now() if seconds is None else seconds
        local = dt.datetime.fromtimestamp(int(moment), self.site.time_zone)
        return local.replace(tzinfo=None).isoformat()

    def record(self, action: str, path: str, user: str) -> None:
        """Add an entry to the activity log.

        :param action: such as ``"upload"``.
        :param path: the path.
        :param user: the user.
        """
        id = secrets.token_hex(8)
        done = {"id": id, "action": action, "path": path, "user": user, "time": self.stamp()}
        self.json_store.put("activity", id, done)

    def mime(self, node: Node) -> str:
        """Return the media type of an entry, by its name."""
        if node.isdir:
            return "application/x-directory"
        return media_type(node.name)

    def info(self, node: Node) -> Dict[str, Any]:
        """Return the info object of an entry (section 3).

        Assumption: ``extension`` of a file is its last suffix with the dot.
        """
        encoded = "".join("/" + quote(name, safe="-._~") for name in segments(node.path))
        return {
            "id": node.id, "name": node.name, "path": node.path,
            "url": f"{self.url}/api/2/path/info{encoded}/", "isdir": node.isdir, "isfile": not node.isdir,
            "size": node.size, "time": self.stamp(node.changed), "mime": self.mime(node),
            "extension": "" if node.isdir else os.path.splitext(node.name)[1], "owner": None, "tags": [],
            "attributes": self.tree.attributes(node), "items": node.items,
            "acl": {"list": True, "read": True, "remove": True, "write": True},
        }
