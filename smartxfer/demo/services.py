"""Functions that run the demos of all services against one local server."""

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

#: Demo function of each service, by the name of the service.
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
    """Yield the row of each service, and the error if its demo failed.

    :param server: running, with ``FILESENDER_OPTIONS`` and ``NRP_OPTIONS`` as its options.
    :param sources: files and directories to send.
    :param output_directory: directory for the downloads; it is created.
    :param on_status: called with one line of text about each step.
    """
    for name, run_demo in _SERVICES.items():
        service_directory = output_directory / name
        service_directory.mkdir(parents=True)
        demo_files = DemoFiles.from_paths(sources, service_directory)
        try:
            yield run_demo(server, demo_files, on_status), None
        except SmartxferError as error:  # continue with the other services
            yield Row(name, len(demo_files.sources), demo_files.bytes, failed=True), error


@contextlib.contextmanager
def temporary_workspace() -> Iterator[Path]:
    """Yield a temporary directory for all files of the demo, including its state directory."""
    name = "SMARTXFER_STATE_DIR"
    old_value = os.environ.get(name)
    with tempfile.TemporaryDirectory(prefix="smartxfer-demo-") as workspace:
        os.environ[name] = str(Path(workspace) / "state")
        try:
            yield Path(workspace)
        finally:
            if old_value is None:
                del os.environ[name]
            else:
                os.environ[name] = old_value
