"""Run every service of the demo against one local server."""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Dict, Iterator, List, Optional, Tuple

from smartxfer.demo.files import Plan
from smartxfer.demo.filesender import filesender_row
from smartxfer.demo.jetstream import jetstream_row
from smartxfer.demo.nrp import nrp_row
from smartxfer.demo.perseus import perseus_row
from smartxfer.demo.smartfile import smartfile_row
from smartxfer.demo.table import Row
from smartxfer.errors import SmartxferError

if TYPE_CHECKING:
    from smartxfer.local import LocalServer

__all__ = ["run_services", "workplace"]

RowOf = Callable[["LocalServer", Plan, Callable[[str], None]], Row]

#: The services that are shown, by their names; each makes its own row.
_SERVICES: Dict[str, RowOf] = {
    "FileSender": filesender_row,
    "SmartFile": smartfile_row,
    "NRP": nrp_row,
    "Perseus": perseus_row,
    "JetStream": jetstream_row,
}


def run_services(
    server: "LocalServer", sources: List[Path], fetched: Path, say: Callable[[str], None]
) -> Iterator[Tuple[Row, Optional[SmartxferError]]]:
    """Yield the row of each service, and the error that ended it early.

    :param server: running, with ``FILESENDER_SITE`` and ``NRP_SITE`` as its options.
    :param sources: files and directories to send.
    :param fetched: directory for what is fetched back, made here.
    :param say: called with one line of text about each step.
    """
    for name, row_of in _SERVICES.items():
        out = fetched / name
        out.mkdir(parents=True)
        plan = Plan.of(sources, out)
        try:
            yield row_of(server, plan, say), None
        except SmartxferError as error:
            # The other services are shown all the same.
            yield Row(name, len(plan.sources), plan.bytes, failed=True), error


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """Yield a directory for everything that the demo writes, state included; delete it afterwards."""
    name = "SMARTXFER_STATE_DIR"
    before = os.environ.get(name)
    with tempfile.TemporaryDirectory(prefix="smartxfer-demo-") as place:
        os.environ[name] = str(Path(place) / "state")
        try:
            yield Path(place)
        finally:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before
