"""Rules for every test: no network but loopback, no home but a temporary one."""

from __future__ import annotations

import gc
import ipaddress
import itertools
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

# For the processes that tests start: they import tests.support, too. Appended, so that the installed package is tested.
sys.path.append(str(Path(__file__).parent.parent))

# A runner in the background may have these ignored, and what the tests start would inherit that.
for _signal, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_signal) == signal.SIG_IGN:
        signal.signal(_signal, _handler)

# Seeded by the test itself: a failure repeats, and an old run says nothing about a new one.
settings.register_profile(
    "default",
    derandomize=True,
    database=None,
    deadline=None,  # two cores shared with servers: time is judged by the tests that measure it
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.register_profile("thorough", parent=settings.get_profile("default"), max_examples=2000)
# For mutations of the code: that a test fails is all that is asked, not what the shortest failure is.
settings.register_profile(
    "unshrunk", parent=settings.get_profile("default"), phases=[Phase.explicit, Phase.generate]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

_SERVICES = ("FILESENDER_", "JETSTREAM_", "NRP_", "SMARTFILE_", "PERSEUS_", "SMARTXFER_")
_REQUESTS = ("NETRC", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class NetworkTouched(BaseException):
    """A test tried to leave this machine; not an ``Exception``, so that no retry swallows it."""


def _is_loopback(host: Any) -> bool:
    name = host.decode("ascii") if isinstance(host, bytes) else str(host)
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.split("%")[0]).is_loopback
    except ValueError:
        return False


def _guard_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sockets connect, and names resolve, on loopback only."""
    real_connect, real_connect_ex = socket.socket.connect, socket.socket.connect_ex
    real_getaddrinfo = socket.getaddrinfo

    def check(sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            raise NetworkTouched(f"connection to {address[0]!r}: tests stay on loopback")

    def connect(sock: socket.socket, address: Any) -> None:
        check(sock, address)
        real_connect(sock, address)

    def connect_ex(sock: socket.socket, address: Any) -> int:
        check(sock, address)
        return real_connect_ex(sock, address)

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host is not None and str(host).rstrip(".").endswith(".invalid"):
            # RFC 6761: never resolves. Answered here, so that no resolver is asked.
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host is not None and not _is_loopback(host) and not _is_wildcard(host):
            raise NetworkTouched(f"look-up of {host!r}: tests stay on loopback")
        return real_getaddrinfo(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def _is_wildcard(host: Any) -> bool:
    return host in ("", b"", "0.0.0.0", "::")


def _isolate_environment(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Point every place where settings and state live below ``home``, and drop the user's own."""
    for name in list(os.environ):
        upper = name.upper()
        if upper.startswith(_SERVICES) or upper.endswith("_PROXY") or upper in _REQUESTS:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    for kind in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / f"xdg-{kind.lower()}"))
    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(home / "state"))


@pytest.fixture(scope="session", autouse=True)
def _isolated_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Isolation for fixtures that live longer than one test."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _guard_network(monkeypatch)
        _isolate_environment(monkeypatch, tmp_path_factory.mktemp("home"))
        yield


#: Of the home directories: to find a free number by listing them all takes longer than many a test.
_numbers = itertools.count()


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def home(_homes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own, empty home directory."""
    directory = _homes / f"home{next(_numbers)}"
    directory.mkdir(mode=0o700)
    _isolate_environment(monkeypatch, directory)
    return directory


@pytest.fixture(autouse=True)
def _no_callbacks_of_the_garbage_collector() -> None:
    """Remove hypothesis's callback: Python ignores a Ctrl-C that falls into it, and the call goes unbroken."""
    gc.callbacks.clear()


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the secrets of earlier tests: a password "password" would be masked in the messages of this one."""
    redact = sys.modules.get("smartxfer.transport.redaction")
    if redact is not None:
        monkeypatch.setattr(redact, "_secrets", redact._SecretRegistry())
