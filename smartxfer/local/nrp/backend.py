"""What the repository knows and keeps: configuration, users, records, files, and its clock.

Source: NRP protocol, sections 2, 4 and 5.
"""

from typing import Any, Dict, Optional

from smartxfer.local import service
from smartxfer.local.background import Jobs
from smartxfer.local.nrp import entries, items, people, requests
from smartxfer.local.nrp.entries import moment
from smartxfer.local.nrp.limits import Limits
from smartxfer.local.nrp.site import Site
from smartxfer.local.nrp.sums import PartSum


class Backend(service.Backend):
    """What every call works on."""

    site: Site
    schema = people.SCHEMA + items.SCHEMA + requests.SCHEMA + entries.SCHEMA

    def set_up(self) -> None:
        """Prepare contents, limits and users."""
        #: Address of the API.
        self.api = self.url + "/api"
        self.objects = self.object_store()
        #: Work in the background.
        self.jobs = Jobs()
        #: The running md5 of files that come in parts, by file id.
        self.part_sums: Dict[str, PartSum] = {}
        #: The storage at the second origin; the service makes it.
        self.storage: Any = None
        #: How many requests are left to whom.
        self.limits = Limits()
        #: When the server began, seconds since 1970.
        self.started = self.now()
        self._latest = 0.0
        self.people = people.People(self.database, self.site)

    def close(self) -> None:
        """End the work in the background, and close the files."""
        self.jobs.stop()
        super().close()

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
