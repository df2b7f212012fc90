"""State of a server: configuration, database, lock, ids, clock and background jobs.

Source: JetStream protocol, sections 3 and 9.6.
"""

import json
import os
import secrets
import threading
import time
from typing import Any, Callable, Dict, List, Optional

from smartxfer.errors import UsageError
from smartxfer.local import service
from smartxfer.local.background_jobs import BackgroundJobs
from smartxfer.local.jetstream.progress import LiveProgress
from smartxfer.local.jetstream.receive_rates import ReceiveRates
from smartxfer.local.jetstream.schema import SCHEMA
from smartxfer.local.jetstream.site import Site
from smartxfer.local.object_store import private_directory

#: Largest number of events in the log.
EVENTS = 2000


class Backend(service.Backend):
    """State of a server.

    :param site: the configuration.
    :param data: directory of the data; created if missing.
    :param title: name of the service.
    :param host: address that it is bound to.
    :param port: port that it is bound to.
    """

    site: Site
    schema = SCHEMA

    def __init__(self, site: Site, data: str, title: str, host: str, port: int) -> None:
        self.title, self.host, self.port = title, host, port
        super().__init__(site, data, "")

    def set_up(self) -> None:
        """Prepare folders, ids, passwords, and the threads for jobs."""
        #: Notified whenever a state changes. ``with`` is used on its lock, because a
        #: signal can interrupt a condition between acquiring the lock and entering the block.
        self.changed = threading.Condition(self.lock)
        #: Set once the server ends.
        self.stopping = threading.Event()
        #: Function that stops the whole service; set by the service.
        self.terminate: Callable[[], None] = self.stopping.set
        self._started = time.time() - time.monotonic()
        #: Directory of incoming files.
        self.staging = private_directory(os.path.join(self.data, "staging"))
        folder = self.site.root or os.path.join(self.data, "root")
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise UsageError(f"root: {folder}: {error.strerror}", hint="pass another root=") from error
        #: Folder on disk that ``/`` means.
        self.root = os.path.realpath(folder)
        #: New at each start.
        self.server_id = secrets.token_hex(16)
        #: The same at each start.
        self.server_uid = str(self.get_or_create("uid", lambda: secrets.token_hex(16)))
        self.public_key = str(self.get_or_create("public_key", lambda: secrets.token_hex(32)))
        #: Password of each user.
        self.passwords: Dict[str, str] = {
            name: value or str(self.get_or_create("password:" + name, lambda: secrets.token_urlsafe(12)))
            for name, value in self.site.users.items()
        }
        self.jobs = BackgroundJobs()
        #: The running transfer, by its id.
        self.live: Dict[int, LiveProgress] = {}
        self.receive_rates = ReceiveRates()
        #: Callbacks of the requests that wait for a discovery packet.
        self.discovering: List[Callable[[Any], None]] = []

    def close(self) -> None:
        """Stop waits and threads, and close the files."""
        self.stop_threads()
        self.jobs.stop()
        with self.lock:
            super().close()

    def stop_threads(self) -> None:
        """Stop every wait, and request every thread to end."""
        self.stopping.set()
        with self.lock:
            for live in self.live.values():
                live.control.set()
            self.changed.notify_all()

    # -- settings, ids, clock ---------------------------------------------------------------------------

    def job(self, work: Callable[[], None]) -> None:
        """Run a function in the background."""
        self.jobs.start(f"local-{self.title}-job", work)

    def setting(self, name: str) -> Any:
        """Return a stored value, or None."""
        row = self.database.find("settings", name=name)
        return None if row is None else json.loads(row["value"])

    def set_setting(self, name: str, value: Any) -> None:
        """Store a value."""
        self.database.replace("settings", name=name, value=json.dumps(value))

    def get_or_create(self, name: str, create: Callable[[], Any]) -> Any:
        """Return a stored value, created if missing."""
        value = self.setting(name)
        if value is None:
            value = create()
            self.set_setting(name, value)
        return value

    def new_id(self) -> int:
        """Return a new id, which no object had before."""
        return self.database.execute("INSERT INTO ids DEFAULT VALUES")

    def now(self) -> float:
        """Return the server's clock, in seconds since 1970; it is monotonic."""
        return self._started + time.monotonic() + self.site.clock_offset

    def now_micros(self) -> int:
        """Return the server's clock in microseconds since 1970; it is monotonic while the server runs."""
        return int(self.now() * 1_000_000)

    @property
    def licensed(self) -> bool:
        """True if transfers may be sent and received."""
        return self.site.licensed or bool(self.setting("license_key"))

    # -- waiting and notifying --------------------------------------------------------------------------

    def notify_changed(self) -> None:
        """Wake the threads that wait for a change."""
        with self.lock:
            self.changed.notify_all()

    def wait(self, finished: Callable[[], bool], seconds: Optional[float]) -> None:
        """Wait for a condition, for at most the given seconds and the configured ceiling, or until the end.

        :param seconds: limit of the caller, or None.
        """
        if not self.site.long_polls:
            return
        ceiling = self.site.wait_ceiling
        longest = ceiling if seconds is None else min(seconds, ceiling)
        with self.lock:
            self.changed.wait_for(lambda: self.stopping.is_set() or finished(), longest)

    def log(self, event: str, details: Dict[str, Any], owner: Optional[str] = None) -> None:
        """Add an event to the log.

        :param owner: owner of the event, None for events of the server.
        """
        now, reported = self.now_micros(), json.dumps(details)
        number = self.database.insert("events", moment=now, name=event, owner=owner, details=reported)
        self.database.execute("DELETE FROM events WHERE id<=?", number - EVENTS)
