"""The local JetStream: where it listens, its threads, and what its users look at.

Source: JetStream protocol, section 9.
"""

import os
import threading
import time
from typing import Any, Callable, Dict, Optional

from smartxfer.errors import UsageError
from smartxfer.local.arguments import bytes_of, member_of, text_of
from smartxfer.local.http_messages import Request, Response, text_response
from smartxfer.local.jetstream import manifests, registry, routes, transfers
from smartxfer.local.jetstream.backend import Backend
from smartxfer.local.jetstream.copying import Copier
from smartxfer.local.jetstream.paths import place, segments
from smartxfer.local.jetstream.people import Person, is_known
from smartxfer.local.jetstream.site import Site
from smartxfer.local.jsonrpc import Front, RpcError, Sessions, method_of
from smartxfer.local.service import Service


class JetStream(Service):
    """A JetStream on loopback, with the options of :class:`~smartxfer.local.jetstream.site.Site`."""

    name = "jetstream"
    options = Site
    backend: Backend

    def _make_backend(self, site: Site, data: str) -> Backend:
        """Make the backend for a configuration."""
        self._stopped = threading.Lock()
        self._ended = False
        self._ending: Optional[threading.Thread] = None
        return Backend(site, data, self.name, self.host, self.listener.port)

    def _opened(self) -> None:
        """Prepare the sessions and the thread that sends."""
        backend = self.backend
        backend.terminate = self._terminate
        self.port = backend.port
        #: The first user, and the password.
        self.user = next(iter(backend.passwords))
        self.password = backend.passwords[self.user]
        #: Folder on disk that ``/`` means.
        self.root = backend.root
        self.sessions = Sessions(
            Person, lambda person: None, time.monotonic, lambda person: is_known(backend, person)
        )
        self.front = Front(
            lambda session, method, params: routes.call(backend, session.state, method, params),
            self.sessions,
            lambda: backend.site.session_idle,
        )
        self._copier = Copier(backend)

    def start(self) -> None:
        """Begin to answer, and go on with what was under way."""
        backend = self.backend
        backend.log("serverStarted", {"serverId": backend.server_id})
        transfers.restore(backend)
        registry.join(backend)
        self._copier.start()
        manifests.resume(backend)
        super().start()

    def stop(self, *, running: bool = True) -> None:
        """Stop answering, end waits, connections and threads, close files."""
        ending = self._ending
        if ending is not None and ending is not threading.current_thread():
            ending.join()
        with self._stopped:
            if self._ended:
                return
            self._ended = True
            registry.leave(self.backend)
            self.backend.halt()
            self._copier.join()
            super().stop(running=running)
            self.sessions.clear()

    def _terminate(self) -> None:
        """Stop once the answer to the call of this thread has gone."""
        caller = threading.current_thread()
        # Connections are closed after their answer from now on.
        self.listener.stopping.set()

        def end() -> None:
            caller.join(10)
            self.stop()

        self._ending = threading.Thread(target=end, name=f"local-{self.name}-end", daemon=True)
        self._ending.start()

    def configure(self, **options: Any) -> None:
        """Change the configuration of the running service; port, users and root stay what they are."""
        super().configure(**options)
        self.backend.tell()
        registry.tell_others(self.backend)

    def named(self, path: str, peek: Callable[[], bytes]) -> str:
        """``/jsonrpc/<method>`` for a call."""
        method = method_of(peek()) if path == "/jsonrpc" else None
        return path if method is None else f"{path}/{method}"

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        return self.front.answer(request)

    def error(self, status: int, message: str) -> Response:
        """An error of HTTP, for planned faults."""
        text = message or "the server has a problem"
        return text_response(status, text + "\n", "text/plain; charset=utf-8")

    # What users of the local server look at.

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables that point a client at the service."""
        return {
            "JETSTREAM_API_HOST": self.host,
            "JETSTREAM_API_PORT": str(self.port),
            "JETSTREAM_API_USER": self.user,
            "JETSTREAM_API_PASSWORD": self.password,
        }

    def files(self) -> Dict[str, int]:
        """Size of every file below the root in bytes, by path."""
        found = {}
        for folder, _, names in os.walk(self.root):
            for name in names:
                full = os.path.join(folder, name)
                if os.path.islink(full):
                    continue
                found["/" + os.path.relpath(full, self.root).replace(os.sep, "/")] = os.path.getsize(full)
        return dict(sorted(found.items()))

    def read(self, path: Any) -> bytes:
        """Return the bytes of a file.

        :param path: its path, or an entry of it as ``api.ls`` returned it.
        :raises UsageError: there is no such file.
        """
        try:
            with open(self.stored_path(path), "rb") as stream:
                return stream.read()
        except OSError as error:
            name = member_of(path, "path")
            raise UsageError(f"{name}: {error.strerror}", hint="files() lists the paths") from None

    def write(self, path: str, data: bytes = b"") -> None:
        """Put a file at a path, whatever was there; missing folders are made.

        :raises UsageError: the path leads out of the root, or a directory or a file is in the way.
        """
        full, content = self.stored_path(path), bytes_of(data)
        if self._ended:
            raise UsageError("the local server has been stopped")
        try:
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "wb") as stream:
                stream.write(content)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None

    def stored_path(self, path: Any) -> str:
        """Return where a path is on disk.

        :raises UsageError: it leads out of the root.
        """
        try:
            text = text_of(member_of(path, "path"), "path")
            return place(self.root, segments(text), text)
        except RpcError as error:
            raise UsageError(error.message) from None


class JetStreamPeer(JetStream):
    """Another one, to send to."""

    name = "jetstream_peer"

    @property
    def env(self) -> Dict[str, str]:
        """Where it is found, as the address of a destination."""
        return {"JETSTREAM_PEER_HOST": f"{self.host}:{self.port}"}
