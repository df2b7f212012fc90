"""Modules and frames that one upload and one download of each service use."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Set

import requests

import smartxfer
from smartxfer.local import LocalServer

_SIZE = 100_000


class Way(NamedTuple):
    """One transfer.

    :param modules: of the client that a function of was called in.
    :param waiting: frames of the client in the calling thread, while another one sends: from the public call on.
    :param sending: frames of the client in the thread that sends, up to ``Session.send``.  Both are those of the
        request with the longest way.
    """

    service: str
    verb: str
    modules: List[str]
    waiting: List[str]
    sending: List[str]

    @property
    def frames(self) -> List[str]:
        """The frames of both threads, from the public call to ``Session.send``."""
        return self.waiting + self.sending


class _Record:
    """The modules and frames of one transfer."""

    def __init__(self, package: Path) -> None:
        self._package = str(package) + "/"
        self._local = str(package / "local") + "/"
        self._caller: Optional[FrameType] = None
        self.modules: Set[str] = set()
        self.waiting: List[str] = []
        self.sending: List[str] = []

    def profile(self, frame: FrameType, event: str, argument: Any) -> None:
        """Note the module of a call; for ``sys.setprofile``."""
        if event == "call" and self._is_ours(frame):
            self.modules.add(frame.f_code.co_filename[len(self._package) :])

    def _is_ours(self, frame: FrameType) -> bool:
        name = frame.f_code.co_filename
        return name.startswith(self._package) and not name.startswith(self._local)

    def sent(self) -> None:
        """Note the frames above a request, and those of the thread that waits for it."""
        sending, waiting = self._stack(sys._getframe()), []
        if not sending:
            return  # the local server's own requests
        main = threading.main_thread().ident
        if main != threading.get_ident():
            waiting = self._stack(sys._current_frames()[main])  # type: ignore[index]
        if len(waiting) + len(sending) > len(self.waiting) + len(self.sending):
            self.waiting, self.sending = waiting, sending

    def _stack(self, frame: Optional[FrameType]) -> List[str]:
        found: List[str] = []
        while frame is not None:
            if self._is_ours(frame):
                name = frame.f_code.co_filename[len(self._package) :]
                found.append(f"{name}:{frame.f_code.co_name}")
            frame = frame.f_back
        return found[::-1]


def contract_services(root: Path) -> List[Any]:
    """Return the classes by which the contract suite reaches each service."""
    from tests.support.contract.services import SERVICES

    return SERVICES


def measure(service: Any) -> List[Way]:
    """Send a file through a service, and fetch it where the service gives files back.

    :param service: class of the contract suite.
    """
    _load_everything()
    found: List[Way] = []
    with tempfile.TemporaryDirectory() as name, LocalServer(**_options(service)) as server:
        top = Path(name)
        source = top / "source.bin"
        source.write_bytes(bytes(range(256)) * (_SIZE // 256))
        site = service(server)
        with site.client() as client:
            handle: List[Any] = []
            found.append(_watched(site, "upload", lambda: handle.append(site.upload(client, [source]))))
            if "download" not in service.cannot:
                found.append(_watched(site, "download", lambda: _download(site, client, handle[0], top)))
    return found


def _load_everything() -> None:
    """Load what the clients load on first use: the running of a module counts as a call in it."""
    for module in pkgutil.walk_packages(smartxfer.__path__, "smartxfer."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _options(service: Any) -> Dict[str, Any]:
    return {service.name: service.site_options} if service.site_options else {}


def _download(site: Any, client: Any, handle: Any, top: Path) -> None:
    target = top / "out"
    target.mkdir()
    site.download(client, handle, target)


def _watched(site: Any, verb: str, call: Callable[[], Any]) -> Way:
    record = _Record(Path(smartxfer.__file__).parent)
    send = requests.Session.send

    def watched(*arguments: Any, **keywords: Any) -> Any:
        record.sent()
        return send(*arguments, **keywords)

    requests.Session.send = watched  # type: ignore[method-assign]
    threading.setprofile(record.profile)
    sys.setprofile(record.profile)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
        requests.Session.send = send  # type: ignore[method-assign]
    return Way(site.name, verb, sorted(record.modules), record.waiting, record.sending)
