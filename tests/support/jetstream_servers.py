"""Two running servers, near and far, and connections to the near one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Dict, List, Tuple

from smartxfer.jetstream import API, Manifest, Transfer
from tests.support.jetstream_harness import JetStreamHarness, until

__all__ = ["BOUND", "USERS", "JetStreamServers", "until"]

USERS = {"ann": "pass-of-ann-1", "bob": "pass-of-bob-2", "root": "pass-of-root-3"}
#: Seconds that anything may take here.
BOUND = 10.0

#: What tests change of the configuration, as it is at first.
_PLAIN: Dict[str, Any] = {
    "auth_required": True,
    "licensed": True,
    "allow_api_tokens": True,
    "allow_shared_tokens": True,
    "api_version": 44,
    "rate": 0,
    "manifest_delay": 0.0,
    "request_delay": 0.0,
    "long_polls": True,
    "wait_ceiling": 25.0,
    "session_idle": 0,
    "clock_offset": 0.0,
}


class JetStreamServers(JetStreamHarness):
    """A near and a far server with empty roots for each test."""

    def __init__(self) -> None:
        options = {"users": USERS, "superusers": ("root",)}
        super().__init__(Path(), peer=dict(options), **options)
        self._before = 0

    @property
    def near(self) -> Any:
        """The server that is talked to."""
        return self.site

    @property
    def far(self) -> Any:
        """The server that is sent to."""
        return self.peer

    def empty(self) -> None:
        """Forget what the last test left."""
        self.server.clear_faults()
        for site in (self.near, self.far):
            site.configure(**_PLAIN)
            for name in os.listdir(site.root):
                path = os.path.join(site.root, name)
                (shutil.rmtree if os.path.isdir(path) else os.unlink)(path)
        self._before = len(self.near.requests)

    def api(self, user: str = "ann", **options: Any) -> API:  # type: ignore[override]
        """A connection that is not open yet."""
        return self.anonymous(**{"user": user, "password": USERS[user], **options})

    def anonymous(self, url: str = "", **options: Any) -> API:
        """A connection without credentials, with the time-outs of a plain client."""
        return super().api(url or self.url, **{"user": None, "password": None, "timeout": (15.0, 60.0), **options})

    def far_api(self, user: str = "ann") -> API:
        """A connection to the far server."""
        return self.api(user, url=self.far.url)

    def leave(self) -> None:
        """End the connections of a test."""
        self.close_clients()

    @property
    def calls(self) -> List[str]:
        """The methods that this test has called so far."""
        seen: List[Tuple[str, str, int]] = self.near.requests[self._before :]
        return [path.rpartition("/")[2] if verb == "POST" else verb for verb, path, _ in seen]

    def manifest(self, api: API, name: str = "/out/a.txt", data: bytes = b"a" * 1000) -> Manifest:
        """A complete manifest of one file, which is to arrive as ``/in/a.txt``."""
        self.near.write(name, data)
        made = api.send.createManifest({"/in/a.txt": name})
        return api.send.waitForManifest(made, timeout=BOUND)

    def slow(self, api: API, size: int = 1 << 20, rate: int = 50_000) -> Transfer:
        """A transfer that has begun and will not end while a test runs."""
        self.near.configure(rate=rate)
        transfer = api.send.createTransfer(
            self.destination(api), self.manifest(api, "/out/big", os.urandom(size))
        )
        until(lambda: api.send.getTransfer(transfer).bytes_acked > 0)
        return api.send.getTransfer(transfer)
