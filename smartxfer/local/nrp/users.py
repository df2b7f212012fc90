"""Users and their bearer tokens.

Source: NRP protocol, section 2.
"""

from typing import Dict, Optional

import attrs

from smartxfer.local.database import Database
from smartxfer.local.nrp.site import Site
from smartxfer.local.options import random_word

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, token TEXT NOT NULL UNIQUE
);
"""

#: Length of generated tokens.
_LENGTH = 60


@attrs.frozen
class User:
    """A user, or a guest.

    :param name: name; empty for a guest.
    :param id: number as text; empty for a guest.
    :param token: bearer token.
    :param superuser: whether the user is a superuser.
    """

    name: str
    id: str
    token: str = attrs.field(default="", repr=False)
    superuser: bool = False


#: A caller without a known token.
GUEST = User("", "")


class Users:
    """Users by name and by token.

    :param database: database of the users.
    :param site: the configuration.
    """

    def __init__(self, database: Database, site: Site) -> None:
        self._by_name: Dict[str, User] = {}
        self._by_token: Dict[str, User] = {}
        for name, token in {**site.users, site.superuser: site.users.get(site.superuser)}.items():
            self._add(database, name, token, name == site.superuser)
        #: The first of the configured users.
        self.first = self._by_name[next(iter(site.users))]
        #: The superuser.
        self.superuser = self._by_name[site.superuser]

    def _add(self, database: Database, name: str, token: Optional[str], superuser: bool) -> None:
        row = database.find("users", name=name)
        if token is None:
            token = row["token"] if row is not None else random_word(_LENGTH)
        if row is None:
            number = database.insert("users", name=name, token=token)
        else:
            number = row["number"]
            database.execute("UPDATE users SET token=? WHERE number=?", token, number)
        user = User(name, str(number), token, superuser)
        self._by_name[name] = self._by_token[token] = user

    def by_name(self, name: str) -> Optional[User]:
        """Return the user of a name, or None."""
        return self._by_name.get(name)

    def by_token(self, token: str) -> Optional[User]:
        """Return the user of a bearer token, or None."""
        return self._by_token.get(token)
