"""Surroundings of an example: an empty home directory and, if it needs one, a local server."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import ssl
import sys
import tempfile
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, List, Optional, Tuple, Type

import pytest
import trustme

from smartxfer import RetryPolicy
from smartxfer.filesender import FileSenderClient, UserAuth
from smartxfer.jetstream import JetStream
from smartxfer.local import LocalServer
from smartxfer.nrp import get_client
from smartxfer.perseus import PerseusClient
from smartxfer.smartfile import BasicClient
from smartxfer.transport import redaction
from tests.conftest import _guard_network, _isolate_environment
from tests.support.proxies import TLSFront

#: Two attempts without a wait: an example shows an error, and takes no time.
QUICK = RetryPolicy(attempts=2, backoff=0)

#: What differs between two runs, and what is shown in its place.
_VARYING: Tuple[Tuple[str, str], ...] = (
    (r"(127\.0\.0\.1|localhost):\d{4,5}\b", r"\1:PORT"),
    (r"\b\d+ bytes in 1 s", "0 bytes in 1 s"),
    (r"\b0(\.0\d+)? s\b", "0.1 s"),
    ("Remote end closed connection without response", "Connection reset by peer"),
    (r"\bport \d{4,5}\b", "port PORT"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "01234567-89ab-cdef-0123-456789abcdef"),
    (r"\b[0-9a-hjkmnp-tv-z]{5}-[0-9a-hjkmnp-tv-z]{5}\b", "abcde-12345"),
    (r" \(_ssl\.c:\d+\)", ""),
    (r"\[request id \w+\]", "[request id 5f1d7a84]"),
)


class Scene:
    """The surroundings of one example; a context manager.

    :ivar path: the home and working directory, empty at first.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp()).resolve()
        self.server: Optional[LocalServer] = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Scene:
        self._stack.callback(shutil.rmtree, str(self.path), ignore_errors=True)
        patch = self._stack.enter_context(pytest.MonkeyPatch.context())
        self.patch = patch
        _guard_network(patch)
        _isolate_environment(patch, self.path)
        patch.setattr(redaction, "_secrets", redaction._SecretRegistry())
        patch.setitem(sys.modules, "keyring", None)  # as if it were not installed, whether it is or not
        patch.chdir(self.path)
        self._stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._stack.close()

    def enter(self, context: Any) -> Any:
        """Enter a context manager that is left at the end of the example."""
        return self._stack.enter_context(context)

    def file(self, name: str, data: bytes = b"ACGT") -> str:
        """Write a local file and return its name, relative to the working directory."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return name

    def serve(self, service: str, **options: Any) -> Any:
        """Start a local server of one service and return the service."""
        settings: Dict[str, Any] = {service: options}
        names = [service, "jetstream_peer"] if service == "jetstream" else [service]
        self.server = self.enter(LocalServer(services=names, **settings))
        return getattr(self.server, service)

    def fault(self, match: str, effect: str, times: Optional[int] = None, after: int = 0) -> None:
        """Plan a fault of the running service."""
        assert self.server is not None
        self.server.fault(next(iter(self.server.services)), match, effect, times=times, after=after)

    def answer(self, match: str, body: bytes, status: int = 200) -> None:
        """Have the running service answer with these bytes as JSON."""
        path = self.path / ".answer"
        path.write_bytes(body)
        self.fault(match, f"status {status} 'body=file:{path}'")

    def unfired(self) -> List[Any]:
        """Return the planned faults that did not take effect."""
        return [] if self.server is None else self.server.unfired()

    def closed_port(self) -> int:
        """Return a port that refuses connections."""
        sock = self.enter(socket.socket())
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])

    def tls_front(self) -> TLSFront:
        """Return an https address of the running server, with a certificate of an unknown authority."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
        if self.server is None:
            self.serve("filesender")
        service = next(iter(self.server.services.values()))  # type: ignore[union-attr]
        front: TLSFront = self.enter(TLSFront(service.listener.port, tls))
        return front

    def filesender(self, site: Any = None, **options: Any) -> FileSenderClient:
        """Return a client of the local FileSender's first user; without a site it is started."""
        site = self.serve("filesender") if site is None else site
        settings = {"auth": UserAuth(site.username, site.api_key), "retry": QUICK, **options}
        return self._client(FileSenderClient(settings.pop("base_url", site.url), **settings))

    def sent(self, site: Any) -> Any:
        """Return a transfer with a link that a FileSender has."""
        return self.filesender(site).upload_workflow([self.file("report.txt")], link=True)

    def holding(self, name: str = "/report.txt", data: bytes = b"ACGT", **options: Any) -> Any:
        """Start a SmartFile that has a file."""
        site = self.serve("smartfile", **options)
        site.write(name, data)
        return site

    def smartfile(self, site: Any = None, **options: Any) -> BasicClient:
        """Likewise for SmartFile."""
        site = self.serve("smartfile") if site is None else site
        settings = {"key": site.key, "password": site.password, "url": site.url, "retry": QUICK, **options}
        return self._client(BasicClient(**settings))

    def nrp(self, site: Any = None, **options: Any) -> Any:
        """Likewise for a repository."""
        site = self.serve("nrp") if site is None else site
        return self._client(get_client(site.url, **{"token": site.token, "retry": QUICK, **options}))

    def perseus(self, site: Any = None, **options: Any) -> PerseusClient:
        """Likewise for Perseus."""
        site = self.serve("perseus") if site is None else site
        return self._client(PerseusClient(site.url, **{"api_key": site.api_key, "retry": QUICK, **options}))

    def jetstream(self, site: Any = None, **options: Any) -> Any:
        """Likewise for JetStream."""
        site = self.serve("jetstream") if site is None else site
        settings = {"user": site.user, "password": site.password, "retry": QUICK, **options}
        return self._client(JetStream().api(site.host, site.port, **settings))

    def _client(self, client: Any) -> Any:
        self._stack.callback(client.close)
        return client

    def stable(self, text: str) -> str:
        """Return a text with what differs between two runs replaced."""
        text = text.replace(str(self.path), "/home/ann")
        for pattern, shown in _VARYING:
            text = re.sub(pattern, shown, text)
        return text
