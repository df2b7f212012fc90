"""Errors of JetStream."""

from __future__ import annotations

import threading
from typing import Any, List

from smartxfer.errors import NotAnHTTPServer
from smartxfer.jetstream import JetStream
from smartxfer.jetstream import errors as js
from tests.support.raw_server import RawServer

from .example import shows, shows_faults
from .scene import QUICK, Scene


@shows(js.JetStreamAuthError)
def wrong_password(scene: Scene) -> None:
    """The password is wrong."""
    scene.jetstream(password="0").ls("/")


@shows(js.JetStreamCredentialError)
def no_credentials(scene: Scene) -> None:
    """User and password are missing."""
    site = scene.serve("jetstream")
    scene.enter(JetStream().api(site.host, site.port)).ls("/")


@shows(js.JetStreamForbidden)
def no_rights(scene: Scene) -> None:
    """A call needs a superuser's rights."""
    scene.jetstream().server.getWranglers()


@shows(js.JetStreamNotFound)
def unknown_path(scene: Scene) -> None:
    """A path does not exist on the server."""
    scene.jetstream().ls("/data/run2")


@shows(js.JetStreamUnsupported)
def old_server(scene: Scene) -> None:
    """The server's version does not have the method."""
    scene.jetstream(scene.serve("jetstream", api_version=33)).server.lsListAsync("/")


@shows(js.JetStreamWaitTimeout)
def wait_timeout(scene: Scene) -> None:
    """A transfer takes longer than the caller waits."""
    site = scene.serve("jetstream", rate=50_000)
    site.write("/big.bin", bytes(1 << 20))
    scene.jetstream(site).send_files("/big.bin", _peer(scene), timeout=0.1)


@shows(js.JetStreamTaskFailed)
def missing_source(scene: Scene) -> None:
    """A transfer of a file that does not exist on the server."""
    scene.jetstream().send_files("/data/missing.bin", _peer(scene), timeout=10)


@shows(js.JetStreamTaskSuspended)
def suspended(scene: Scene) -> None:
    """Another client suspends the transfer."""
    site = scene.serve("jetstream", rate=50_000)
    site.write("/big.bin", bytes(1 << 20))
    api, other = scene.jetstream(site), scene.jetstream(site)
    ended = threading.Event()

    def suspend() -> None:
        while not ended.wait(0.02):
            found: List[Any] = [one for one in other.send.getTransfers() if one.status == "sending"]
            if found:
                other.send.suspendTransfer(found[-1])
                return

    thread = threading.Thread(target=suspend)
    thread.start()
    try:
        api.send_files("/big.bin", _peer(scene), timeout=20)
    finally:
        ended.set()
        thread.join()


@shows(js.ERRORS.class_for(NotAnHTTPServer))
def not_http(scene: Scene) -> None:
    """The address is the server's own control port, which does not speak HTTP."""
    server = scene.enter(RawServer(lambda peer: (peer.request(), peer.send(b"\x00\x01\x02\x03\n"), peer.close())))
    api = scene.enter(JetStream().api("127.0.0.1", server.port, user="ann", password="x", retry=QUICK))
    api.ls("/")


def _peer(scene: Scene) -> Any:
    assert scene.server is not None
    peer = scene.server.jetstream_peer
    return peer.host, peer.port


def _ls(scene: Scene) -> Any:
    api = scene.jetstream()
    api.ls("/")  # the session exists
    return lambda: api.ls("/")


shows_faults(
    __name__, "POST /jsonrpc*", _ls,
    (js.JetStreamClientError, "A status of 4xx without a class of its own", "status 418 body=empty"),
    (js.JetStreamServerError, "The server fails at every attempt", "status 500 body=empty"),
    (js.JetStreamDecodeError, "The answer is not JSON-RPC", b"[]"),
    (js.JetStreamNetworkError, "The connection is reset at every attempt", "reset-before"),
)


@shows(js.JetStreamOutcomeUnknown)
def lost_answer(scene: Scene) -> None:
    """The answer to a creation is lost."""
    api = scene.jetstream()
    api.ls("/")
    scene.fault("POST /jsonrpc/send.createManifest", "lose-answer", times=2)
    api.send.createManifest({"/a.bin": "/a.bin"})
