"""Run every service of the demo against one local server."""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Dict, Iterator, List, Optional, Tuple

from smartxfer.demo.files import DemoFiles
from smartxfer.demo.filesender import run_filesender_demo
from smartxfer.demo.jetstream import run_jetstream_demo
from smartxfer.demo.nrp import run_nrp_demo
from smartxfer.demo.perseus import run_perseus_demo
from smartxfer.demo.smartfile import run_smartfile_demo
from smartxfer.demo.table import Row
from smartxfer.errors import SmartxferError

if TYPE_CHECKING:
    from smartxfer.local import LocalServer

__all__ = ["run_services", "temporary_workspace"]

DemoFunction = Callable[["LocalServer", DemoFiles, Callable[[str], None]], Row]

#: The services that are shown, by their names; each makes its own row.
_SERVICES: Dict[str, DemoFunction] = {
    "FileSender": run_filesender_demo,
    "SmartFile": run_smartfile_demo,
    "NRP": run_nrp_demo,
    "Perseus": run_perseus_demo,
    "JetStream": run_jetstream_demo,
}


def run_services(
    server: "LocalServer", sources: List[Path], output_directory: Path, on_status: Callable[[str], None]
) -> Iterator[Tuple[Row, Optional[SmartxferError]]]:
    """Yield the row of each service, and the error that ended it early.

    :param server: running, with ``FILESENDER_OPTIONS`` and ``NRP_OPTIONS`` as its options.
    :param sources: files and directories to send.
    :param output_directory: directory for what is fetched back, made here.
    :param on_status: called with one line of text about each step.
    """
    for name, row_of in _SERVICES.items():
        out = output_directory / name
        out.mkdir(parents=True)
        plan = DemoFiles.from_paths(sources, out)
        try:
            yield row_of(server, plan, on_status), None
        except SmartxferError as error:
            # The other services are shown all the same.
            yield Row(name, len(plan.sources), plan.bytes, failed=True), error


@contextlib.contextmanager
def temporary_workspace() -> Iterator[Path]:
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
