"""What the repository knows and keeps: configuration, users, records, files, and its clock.

Source: NRP protocol, sections 2, 4 and 5.
"""

import os
import threading
import time
from typing import Any, Dict, Optional

from smartxfer.local.database import Database
from smartxfer.local.nrp import entries, items, people, requests
from smartxfer.local.nrp.entries import moment
from smartxfer.local.nrp.limits import Limits
from smartxfer.local.nrp.site import Site
from smartxfer.local.objects import Objects, private_directory

__all__ = ["Backend"]


class Backend:
    """What every call works on.

    :param site: the configuration.
    :param data: directory of the data; made where missing.
    :param url: address of the site, without a slash at its end.
    """

    def __init__(self, site: Site, data: str, url: str) -> None:
        #: The configuration; replaced as a whole when it changes.
        self.site = site
        #: Address of the site, without a slash at its end.
        self.url = url
        #: Address of the API.
        self.api = url + "/api"
        root = private_directory(data)
        self.objects = Objects(os.path.join(root, "objects"))
        schema = people.SCHEMA + items.SCHEMA + requests.SCHEMA + entries.SCHEMA
        self.database = Database(os.path.join(root, "metadata.sqlite"), schema)
        #: Held by what must not happen twice at a time.
        self.lock = threading.RLock()
        #: State that need not outlive the process, by the name of what has it.
        self.memory: Dict[str, Any] = {}
        #: The storage at the second origin; the service makes it.
        self.storage: Any = None
        #: How many requests are left to whom.
        self.limits = Limits()
        #: When the server began, seconds since 1970.
        self.started = self.now()
        self._latest = 0.0
        try:
            self.people = people.People(self.database, site)
        except BaseException:
            self.database.close()
            raise

    def close(self) -> None:
        """Close the files."""
        self.database.close()

    def now(self) -> float:
        """The server's clock, seconds since 1970."""
        return time.time()

    def stamp(self, seconds: Optional[float] = None) -> str:
        """A time as the API shows it, in UTC with its offset; no two of now are the same.

        :param seconds: since 1970; None: now.
        """
        if seconds is not None:
            return moment(seconds)
        with self.lock:
            self._latest = max(self.now(), self._latest + 1e-6)
            return moment(self._latest)

    def touched(self, owner: Any) -> None:
        """Note that files of a draft were deleted or taken over: its revision grows; uploads leave it.

        :param owner: the draft, a :class:`smartxfer.local.nrp.call.Owner`.
        """
        if owner.draft:
            items.touch(self.database, owner.id, self.stamp())
