"""One local FileSender for many tests of vouchers and of care: what a test leaves is cleared, not the server."""

from __future__ import annotations

from typing import Any, List, Optional

from smartxfer import FileSenderClient, RetryPolicy, UserAuth
from smartxfer.local import LocalServer
from smartxfer.local.faults import Fault

#: What a test may change by ``configure``, as it is before.
PLAIN = {
    "version": "3.8", "expiry_extension_days": 0, "guest_extension_days": 0, "aup_required": False,
    "any_name": False,
}


class ManagementSite:
    """A running site with three users: ann, bob, and root, who is its administrator."""

    def __init__(self) -> None:
        users = {"ann@example.org": None, "bob@example.net": "k3y", "root@example.org": "k3y"}
        options = {"users": users, "admins": ["root@example.org"], "upload_chunk_size": 64 * 1024}
        self.server = LocalServer(services=["filesender"], filesender=options).start()
        self.site: Any = self.server.filesender
        self.url = self.site.url
        self._clients: List[FileSenderClient] = []

    def client(self, username: str = "ann@example.org", **options: Any) -> FileSenderClient:
        """A client of one of the users, which waits for nothing."""
        key = self.site.api_key if username == self.site.username else "k3y"
        settings = {"auth": UserAuth(username, key), "retry": RetryPolicy(backoff=0), **options}
        self._clients.append(FileSenderClient(self.url, **settings))
        return self._clients[-1]

    def fault(self, match: str, effect: str, times: Optional[int] = 1) -> Fault:
        """Plan a fault, which has to take effect."""
        return self.server.fault("filesender", match, effect, times=times)

    def clear(self) -> None:
        """Delete what a test left, and check that the faults that it planned took effect."""
        for client in self._clients:
            client.close()
        self._clients.clear()
        unfired, crashes = self.server.unfired(), self.site.listener.crashes
        self.server.clear_faults()
        for transfer in self.site.transfers():
            self.site.backend.repository.delete_transfer(transfer["id"])
        self.site.backend.repository.db.execute("DELETE FROM guests")
        self.site.backend.mails.clear()
        self.site.backend.sent.clear()
        self.site.listener.clear_log()
        self.site.configure(**PLAIN)
        assert unfired == [], f"planned faults did not take effect: {unfired}"
        assert crashes == []
