"""Two running servers, near and far, and connections to the near one."""

from __future__ import annotations

import os
import shutil
import time
from typing import Any, Callable, Dict, List, Tuple

from smartxfer import RetryPolicy
from smartxfer.jetstream import API, Destination, JetStream, Manifest, Transfer
from smartxfer.local import LocalServer

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


class JetStreamServers:
    """A near and a far server with empty roots for each test."""

    def __init__(self) -> None:
        options = {"users": USERS, "superusers": ("root",)}
        self.server = LocalServer(
            services=["jetstream", "jetstream_peer"],
            jetstream=options,
            jetstream_peer={"users": USERS, "superusers": ("root",)},
        )
        self.server.start()
        self._apis: List[API] = []
        self._before = 0

    @property
    def near(self) -> Any:
        """The server that is talked to."""
        return self.server.jetstream

    @property
    def far(self) -> Any:
        """The server that is sent to."""
        return self.server.jetstream_peer

    def empty(self) -> None:
        """Forget what the last test left."""
        self.server.clear_faults()
        for site in (self.near, self.far):
            site.configure(**_PLAIN)
            for name in os.listdir(site.root):
                path = os.path.join(site.root, name)
                (shutil.rmtree if os.path.isdir(path) else os.unlink)(path)
        self._before = len(self.near.requests)

    def api(self, user: str = "ann", **options: Any) -> API:
        """A connection that is not open yet."""
        options = {"user": user, "password": USERS[user], "retry": RetryPolicy(backoff=0), **options}
        self._apis.append(JetStream().api(self.near.host, self.near.port, **options))
        return self._apis[-1]

    def anonymous(self, **options: Any) -> API:
        """A connection without credentials."""
        self._apis.append(
            JetStream().api(self.near.host, self.near.port, retry=RetryPolicy(backoff=0), **options)
        )
        return self._apis[-1]

    def far_api(self, user: str = "ann") -> API:
        """A connection to the far server."""
        self._apis.append(JetStream().api(self.far.host, self.far.port, user=user, password=USERS[user]))
        return self._apis[-1]

    def leave(self) -> None:
        """End the connections of a test."""
        for api in self._apis:
            api.close()
        self._apis.clear()

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

    def destination(self, api: API) -> Destination:
        """The far server."""
        return api.send.createDestination(self.far.host, self.far.port)

    def slow(self, api: API, size: int = 1 << 20, rate: int = 50_000) -> Transfer:
        """A transfer that has begun and will not end while a test runs."""
        self.near.configure(rate=rate)
        transfer = api.send.createTransfer(
            self.destination(api), self.manifest(api, "/out/big", os.urandom(size))
        )
        until(lambda: api.send.getTransfer(transfer).bytes_acked > 0)
        return api.send.getTransfer(transfer)

    def close(self) -> None:
        """End connections and servers."""
        self.leave()
        self.server.stop()


def until(true: Callable[[], Any]) -> Any:
    """Wait for a condition, with a bound; what it gave."""
    ends = time.monotonic() + BOUND
    while True:
        found = true()
        if found:
            return found
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.01)
