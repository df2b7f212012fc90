"""``smartxfer demo``: files sent to a server on this machine, fetched back and compared."""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Dict, Iterator, List, Tuple

import click

from smartxfer.cli.demo_files import Plan, make_files, parse_size
from smartxfer.cli.demo_filesender import SITE, filesender_row
from smartxfer.cli.demo_jetstream import jetstream_row
from smartxfer.cli.demo_nrp import NRP_SITE, nrp_row
from smartxfer.cli.demo_perseus import perseus_row
from smartxfer.cli.demo_smartfile import smartfile_row
from smartxfer.cli.demo_table import Row, as_json, as_table
from smartxfer.cli.exits import DIFFERS, code_of, report
from smartxfer.cli.output import print_line, say
from smartxfer.cli.servers import fault_option, make_server
from smartxfer.errors import SmartxferError
from smartxfer.system_text import source_path

if TYPE_CHECKING:
    from smartxfer.local import LocalServer

__all__ = ["demo"]

RowOf = Callable[["LocalServer", Plan, Callable[[str], None]], Row]

#: The services that are shown, by their names; each makes its own row.
_SERVICES: Dict[str, RowOf] = {
    "FileSender": filesender_row,
    "SmartFile": smartfile_row,
    "NRP": nrp_row,
    "Perseus": perseus_row,
    "JetStream": jetstream_row,
}


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True), metavar="[FILE]...")
@fault_option
@click.option(
    "--size",
    type=parse_size,
    metavar="SIZE",
    default="64M",
    show_default=True,
    help="Size of the large generated file: 1000, 256K, 64M, 1G.",
)
@click.option("--json", "as_lines", is_flag=True, help="Print a line of JSON for each service, no table.")
@click.pass_context
def demo(
    ctx: click.Context, files: Tuple[str, ...], faults: Tuple[str, ...], size: int, as_lines: bool
) -> None:
    """Send files to a server on this machine, fetch them back, and compare them.

    FILE may be a directory.  Without any, files that are awkward to send are generated.  On the way an
    upload is interrupted once and gone on with, the connection is broken once for each service, and a file
    that changed is sent again as a delta, by a service that has them.  Perseus has no downloads: what it
    stored is compared.  JetStream's files go from one server to another and back.  Nothing is left behind.

    The exit code is 6 when a file came back changed.
    """
    with _workplace() as place, make_server(faults, filesender=SITE, nrp=NRP_SITE) as server:
        things = [source_path(file, expand=False) for file in files]
        if not things:
            (place / "files").mkdir()
            things = make_files(place / "files", size)
        rows, code = [], 0
        for name, row_of in _SERVICES.items():
            out = place / "fetched" / name
            out.mkdir(parents=True)
            plan = Plan.of(things, out)
            try:
                row = row_of(server, plan, say)
                failure = DIFFERS if row.differing else 0
            except SmartxferError as error:
                # The other services are shown all the same.
                row, failure = Row(name, len(plan.sources), plan.bytes, failed=True), code_of(error)
                report(error)
            rows.append(row)
            code = code or failure
        _show(rows, as_lines)
        for fault in server.unfired():
            say(f"a planned fault did not take effect: {fault!r}")
    ctx.exit(code)


def _show(rows: List[Row], as_lines: bool) -> None:
    for row in rows:
        for name in row.differing:
            say(f"{row.service}: {name} came back changed, or not at all")
    for line in [as_json(row) for row in rows] if as_lines else as_table(rows):
        print_line(line)


@contextlib.contextmanager
def _workplace() -> Iterator[Path]:
    """A directory for everything that the demo writes, state included; gone afterwards."""
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
