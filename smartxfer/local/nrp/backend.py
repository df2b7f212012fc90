"""State of the repository: configuration, users, records, files and clock.

Source: NRP protocol, sections 2, 4 and 5.
"""

from typing import Any, Dict, Optional

from smartxfer.local import service
from smartxfer.local.background_jobs import BackgroundJobs
from smartxfer.local.nrp import file_entries, record_store, requests, users
from smartxfer.local.nrp.file_entries import format_time
from smartxfer.local.nrp.multipart_md5 import MultipartMD5
from smartxfer.local.nrp.rate_limits import RateLimits
from smartxfer.local.nrp.site import Site


class Backend(service.Backend):
    """State of the repository."""

    site: Site
    schema = users.SCHEMA + record_store.SCHEMA + requests.SCHEMA + file_entries.SCHEMA

    def set_up(self) -> None:
        """Prepare contents, limits and users."""
        #: URL of the API.
        self.api = self.url + "/api"
        self.objects = self.object_store()
        #: Background jobs.
        self.jobs = BackgroundJobs()
        #: Running md5 of multipart files, by file id.
        self.part_sums: Dict[str, MultipartMD5] = {}
        #: The storage at the second origin; set by the service.
        self.storage: Any = None
        #: Rate limits.
        self.limits = RateLimits()
        #: Start of the server, seconds since 1970.
        self.started_uploads = self.now()
        self._latest = 0.0
        self.users = users.Users(self.database, self.site)

    def close(self) -> None:
        """End the background jobs, and close the files."""
        self.jobs.stop()
        super().close()

    def stamp(self, seconds: Optional[float] = None) -> str:
        """Return a time as the API shows it, in UTC with offset; times of now are unique.

        :param seconds: since 1970; None: now.
        """
        if seconds is not None:
            return format_time(seconds)
        with self.lock:
            self._latest = max(self.now(), self._latest + 1e-6)
            return format_time(self._latest)

    def next_revision_stamp(self, owner: Any) -> None:
        """Increment the revision of a draft whose files were deleted or imported; uploads do not change it.

        :param owner: the draft, a :class:`smartxfer.local.nrp.call.Owner`.
        """
        if owner.draft:
            record_store.touch(self.database, owner.id, self.stamp())
