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

#: Characters of a token that is made here.
_LENGTH = 60


@attrs.frozen
class User:
    """Who asks.

    :param name: name; empty for a guest.
    :param id: number as text; empty for a guest.
    :param token: bearer token.
    :param superuser: whether the user may everything.
    """

    name: str
    id: str
    token: str = attrs.field(default="", repr=False)
    superuser: bool = False


#: Nobody who is known.
GUEST = User("", "")


class People:
    """Users by name and by token.

    :param database: where they are kept.
    :param site: says who they are.
    """

    def __init__(self, database: Database, site: Site) -> None:
        self._by_name: Dict[str, User] = {}
        self._by_token: Dict[str, User] = {}
        for name, token in {**site.users, site.superuser: site.users.get(site.superuser)}.items():
            self._add(database, name, token, name == site.superuser)
        #: The first of the configured users.
        self.first = self._by_name[next(iter(site.users))]
        #: The one who may everything.
        self.superuser = self._by_name[site.superuser]

    def _add(self, database: Database, name: str, token: Optional[str], superuser: bool) -> None:
        row = database.find("users", name=name)
        if token is None:
            token = row["token"] if row is not None else random_word(_LENGTH)
        if row is None:
            number = database.insert("users", name=name, token=token)
        else:
            number = row["number"]
            database.run("UPDATE users SET token=? WHERE number=?", token, number)
        user = User(name, str(number), token, superuser)
        self._by_name[name] = self._by_token[token] = user

    def named(self, name: str) -> Optional[User]:
        """The user of a name."""
        return self._by_name.get(name)

    def by_token(self, token: str) -> Optional[User]:
        """The user of a bearer token."""
        return self._by_token.get(token)
