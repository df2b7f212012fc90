"""Facts about each service that the contract suite needs.

A new service adds one module with one class.  The class declares what the service cannot do, with the section of
its protocol page.
"""

from typing import Any, List

from tests.support.contract.encrypted_service import (
    EncryptedFileSender,
    OlderEncryptedFileSender,
    OlderFileSender,
)
from tests.support.contract.filesender_service import FileSender
from tests.support.contract.jetstream_service import JetStream
from tests.support.contract.nrp_service import Nrp
from tests.support.contract.perseus_service import Perseus
from tests.support.contract.smartfile_service import SmartFile

#: What the suite asks of every service.
CAPABILITIES = (
    "upload", "download", "server digest", "upload resumes after a restart",
    "directory upload resumes after a restart", "download resumes after a restart", "parallel parts up",
    "parallel ranges down", "directories", "several files at once", "any list of files", "any file name",
    "nothing of a changed source stays", "accents composed",
)


SERVICES: List[Any] = [FileSender, SmartFile, Nrp, Perseus, JetStream]
#: A service in other manners, of which the same is asked: what their class calls ``fast``, and the rest among
#: the slow tests.
VARIANTS: List[Any] = [EncryptedFileSender, OlderFileSender, OlderEncryptedFileSender]


def lose_after(service: Any, have: int) -> None:
    """Have downloads break once ``have`` bytes have come, until :func:`mend`."""
    piece = getattr(service, "piece", None)
    effect, times, after = (f"truncate {have}", 1, 0) if piece is None else ("truncate 1000", None, have // piece)
    service.server.fault(service.name, service.bytes_request, effect, times=times, after=after)


def mend(service: Any) -> None:
    """The end of what was planned, which must have happened."""
    assert service.server.unfired() == []
    service.server.clear_faults()


def matrix() -> str:
    """The table of what each service can do, with the reasons below."""
    width = max(len(name) for name in CAPABILITIES)
    lines = [" " * width + "".join(f"  {service.name}" for service in SERVICES)]
    notes = []
    for capability in CAPABILITIES:
        cells = []
        for service in SERVICES:
            reason = service.cannot.get(capability)
            cells.append(f"  {('no' if reason else 'yes').ljust(len(service.name))}")
            if reason:
                notes.append(f"{service.name}, {capability}: {reason}")
        lines.append((capability.ljust(width) + "".join(cells)).rstrip())
    also = [f"{kind.label}: as {kind.name}" for kind in VARIANTS if kind.cannot == FileSender.cannot]
    return "\n".join([*lines, "", *also, "", *notes]) + "\n"
