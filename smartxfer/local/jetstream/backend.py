"""What a server knows and keeps: configuration, database, lock, ids, clock, and its threads for jobs.

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
from smartxfer.local.background import Jobs
from smartxfer.local.jetstream.arrivals import Arrivals
from smartxfer.local.jetstream.progress import Live
from smartxfer.local.jetstream.schema import SCHEMA
from smartxfer.local.jetstream.site import Site
from smartxfer.local.objects import private_directory

#: Events that the log keeps.
EVENTS = 2000


class Backend(service.Backend):
    """What every call works on.

    :param site: the configuration.
    :param data: directory of the data; made where missing.
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
        #: Notified whenever a state changes that somebody may wait for. It is the lock that is entered: a
        #: signal cannot come between its being taken and the block, as it can in a condition.
        self.changed = threading.Condition(self.lock)
        #: Set once the server ends.
        self.stopping = threading.Event()
        #: Stops the whole service; there once the service has set it.
        self.terminate: Callable[[], None] = self.stopping.set
        self._began = time.time() - time.monotonic()
        #: Files on their way in.
        self.staging = private_directory(os.path.join(self.data, "staging"))
        folder = self.site.root or os.path.join(self.data, "root")
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise UsageError(f"root: {folder}: {error.strerror}") from error
        #: Folder on disk that ``/`` means.
        self.root = os.path.realpath(folder)
        #: New at each start.
        self.server_id = secrets.token_hex(16)
        #: The same at each start.
        self.server_uid = str(self.kept("uid", lambda: secrets.token_hex(16)))
        self.public_key = str(self.kept("public_key", lambda: secrets.token_hex(32)))
        #: Password of each user.
        self.passwords: Dict[str, str] = {
            name: given or str(self.kept("password:" + name, lambda: secrets.token_urlsafe(12)))
            for name, given in self.site.users.items()
        }
        self.jobs = Jobs()
        #: The transfer that is being copied, by its id.
        self.live: Dict[int, Live] = {}
        self.arrivals = Arrivals()
        #: Requests that wait for a discovery packet: what each does with it.
        self.discovering: List[Callable[[Any], None]] = []

    def close(self) -> None:
        """End every wait and every thread, and close the files."""
        self.halt()
        self.jobs.stop()
        with self.lock:
            super().close()

    def halt(self) -> None:
        """End every wait, and tell every thread to end."""
        self.stopping.set()
        with self.lock:
            for live in self.live.values():
                live.control.set()
            self.changed.notify_all()

    # -- settings, ids, clock ---------------------------------------------------------------------------

    def job(self, work: Callable[[], None]) -> None:
        """Do something in the background."""
        self.jobs.start(f"local-{self.title}-job", work)

    def setting(self, name: str) -> Any:
        """A value that is kept, None where there is none."""
        row = self.database.find("settings", name=name)
        return None if row is None else json.loads(row["value"])

    def set(self, name: str, value: Any) -> None:
        """Keep a value."""
        self.database.replace("settings", name=name, value=json.dumps(value))

    def kept(self, name: str, make: Callable[[], Any]) -> Any:
        """A value that is kept, made where there is none."""
        value = self.setting(name)
        if value is None:
            value = make()
            self.set(name, value)
        return value

    def new_id(self) -> int:
        """An id that no object had before."""
        return self.database.run("INSERT INTO ids DEFAULT VALUES")

    def now(self) -> float:
        """Return the server's clock, in seconds since 1970; it never steps back."""
        return self._began + time.monotonic() + self.site.clock_offset

    def micros(self) -> int:
        """The server's clock, microseconds since 1970; it never steps back while the server runs."""
        return int(self.now() * 1_000_000)

    @property
    def licensed(self) -> bool:
        """Whether transfers may be sent and received."""
        return self.site.licensed or bool(self.setting("license_key"))

    # -- waiting and telling ----------------------------------------------------------------------------

    def tell(self) -> None:
        """Wake those who wait for a change."""
        with self.lock:
            self.changed.notify_all()

    def wait(self, finished: Callable[[], bool], seconds: Optional[float]) -> None:
        """Wait until something is so, no longer than asked, than the ceiling, and than the server lives.

        :param seconds: bound of the caller, None for none.
        """
        if not self.site.long_polls:
            return
        ceiling = self.site.wait_ceiling
        longest = ceiling if seconds is None else min(seconds, ceiling)
        with self.lock:
            self.changed.wait_for(lambda: self.stopping.is_set() or finished(), longest)

    def log(self, event: str, details: Dict[str, Any], owner: Optional[str] = None) -> None:
        """Put an event into the log.

        :param owner: whose it is, None for what concerns the server.
        """
        now, told = self.micros(), json.dumps(details)
        number = self.database.insert("events", moment=now, name=event, owner=owner, details=told)
        self.database.run("DELETE FROM events WHERE id<=?", number - EVENTS)
