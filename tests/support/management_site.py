"""A local FileSender for tests of vouchers, of the management of transfers and of archives."""

from __future__ import annotations

from typing import Any, ClassVar, Dict

from smartxfer import FileSenderClient, UserAuth
from tests.support.filesender_harness import FileSenderServer

#: What a test may change by ``configure``, as it is before.
PLAIN: Dict[str, Any] = {
    "version": "3.8", "expiry_extension_days": 0, "guest_extension_days": 0, "aup_required": False, "any_name": False,
}


class ManagementSite(FileSenderServer):
    """A running site with three users: ann, bob, and root, who is its administrator."""

    defaults: ClassVar[Dict[str, Any]] = {
        "users": {"ann@example.org": None, "bob@example.net": "k3y", "root@example.org": "k3y"},
        "admins": ["root@example.org"], "upload_chunk_size": 64 * 1024,
    }

    def of(self, username: str) -> FileSenderClient:
        """A client of another user than the first."""
        client: FileSenderClient = self.client(auth=UserAuth(username, "k3y"))
        return client

    def _empty(self) -> None:
        for transfer in self.site.transfers():
            self.site.backend.repository.delete_transfer(transfer["id"])
        self.site.backend.repository.db.execute("DELETE FROM guests")
        self.site.backend.mails.clear()
        self.site.backend.sent.clear()
        self.site.configure(**PLAIN)
