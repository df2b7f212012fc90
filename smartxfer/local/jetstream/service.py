"""The local JetStream service.

Source: JetStream protocol, section 9.
"""

import os
import threading
import time
from typing import Any, Callable, Dict, Optional

from smartxfer.errors import UsageError
from smartxfer.local.arguments import require_member, require_str, to_bytes
from smartxfer.local.http_messages import Request, Response, text_response
from smartxfer.local.jetstream import manifests, registry, routes, transfers
from smartxfer.local.jetstream.backend import Backend
from smartxfer.local.jetstream.paths import resolve_path, segments
from smartxfer.local.jetstream.sender import Sender
from smartxfer.local.jetstream.site import Site
from smartxfer.local.jetstream.users import User, is_logged_in
from smartxfer.local.jsonrpc import JsonRpcEndpoint, RpcError, Sessions, find_method
from smartxfer.local.service import Service


class JetStream(Service):
    """A JetStream on loopback, with the options of :class:`~smartxfer.local.jetstream.site.Site`."""

    name = "jetstream"
    options = Site
    backend: Backend

    def _make_backend(self, site: Site, data: str) -> Backend:
        """Make the backend for a configuration."""
        self._stopped = threading.Lock()
        self._has_ended = False
        self._stop_thread: Optional[threading.Thread] = None
        return Backend(site, data, self.name, self.host, self.listener.port)

    def _backend_ready(self) -> None:
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
            User, lambda user: None, time.monotonic, lambda user: is_logged_in(backend, user)
        )
        self.endpoint = JsonRpcEndpoint(
            lambda session, method, params: routes.call(backend, session.state, method, params),
            self.sessions, lambda: backend.site.session_idle,
        )
        self._sender = Sender(backend)

    def start(self) -> None:
        """Start to serve, and resume unfinished work."""
        backend = self.backend
        backend.log("serverStarted", {"serverId": backend.server_id})
        transfers.resume_after_restart(backend)
        registry.register(backend)
        self._sender.start()
        manifests.resume(backend)
        super().start()

    def stop(self, *, running: bool = True) -> None:
        """Stop the service: end waits, connections and threads, close files."""
        ending = self._stop_thread
        if ending is not None and ending is not threading.current_thread():
            ending.join()
        with self._stopped:
            if self._has_ended:
                return
            self._has_ended = True
            registry.unregister(self.backend)
            self.backend.stop_threads()
            self._sender.join()
            super().stop(running=running)
            self.sessions.clear()

    def _terminate(self) -> None:
        """Stop once the response to the current call was sent."""
        caller = threading.current_thread()
        # From now on connections are closed after their response.
        self.listener.stopping.set()

        def end() -> None:
            caller.join(10)
            self.stop()

        self._stop_thread = threading.Thread(target=end, name=f"local-{self.name}-end", daemon=True)
        self._stop_thread.start()

    def configure(self, **options: Any) -> None:
        """Change the configuration of the running service; port, users and root cannot change."""
        super().configure(**options)
        self.backend.notify_changed()
        registry.notify_peers(self.backend)

    def log_path(self, path: str, peek: Callable[[], bytes]) -> str:
        """Return ``/jsonrpc/<method>`` for a call."""
        method = find_method(peek()) if path == "/jsonrpc" else None
        return path if method is None else f"{path}/{method}"

    def handle(self, request: Request) -> Response:
        """Handle one request."""
        return self.endpoint.handle(request)

    def error_response(self, status: int, message: str) -> Response:
        """Return an HTTP error, for planned faults."""
        text = message or "the server has a problem"
        return text_response(status, text + "\n", "text/plain; charset=utf-8")

    # Inspection methods for tests and examples.

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables that point a client at the service."""
        return {
            "JETSTREAM_API_HOST": self.host, "JETSTREAM_API_PORT": str(self.port),
            "JETSTREAM_API_USER": self.user, "JETSTREAM_API_PASSWORD": self.password,
        }

    def files(self) -> Dict[str, int]:
        """Return the size of every file below the root in bytes, by path."""
        sizes = {}
        for folder, _, names in os.walk(self.root):
            for name in names:
                full = os.path.join(folder, name)
                if os.path.islink(full):
                    continue
                sizes["/" + os.path.relpath(full, self.root).replace(os.sep, "/")] = os.path.getsize(full)
        return dict(sorted(sizes.items()))

    def read(self, path: Any) -> bytes:
        """Return the bytes of a file.

        :param path: its path, or an entry of it as ``api.ls`` returned it.
        :raises UsageError: the file does not exist.
        """
        try:
            with open(self.stored_path(path), "rb") as stream:
                return stream.read()
        except OSError as error:
            name = require_member(path, "path")
            raise UsageError(f"{name}: {error.strerror}", hint="files() lists the paths") from None

    def write(self, path: str, data: bytes = b"") -> None:
        """Write a file, replacing an existing one; create missing folders.

        :raises UsageError: the path leads out of the root, or refers to a directory, or is below a file.
        """
        full, content = self.stored_path(path), to_bytes(data)
        if self._has_ended:
            raise UsageError("the local server has been stopped", hint="call write() while it is running")
        try:
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "wb") as stream:
                stream.write(content)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}", hint="pass another path") from None

    def stored_path(self, path: Any) -> str:
        """Return the path on disk.

        :raises UsageError: it leads out of the root.
        """
        try:
            text = require_str(require_member(path, "path"), "path")
            return resolve_path(self.root, segments(text), text)
        except RpcError as error:
            raise UsageError(error.message, hint="pass a path below the root, such as '/a/b.txt'") from None


class JetStreamPeer(JetStream):
    """A second JetStream, as destination."""

    name = "jetstream_peer"

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables with its address, for destinations."""
        return {"JETSTREAM_PEER_HOST": f"{self.host}:{self.port}"}
