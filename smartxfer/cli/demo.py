"""``smartxfer demo``: send files to a server on this machine, fetch them back and compare them."""

import re
from typing import List, Tuple

import click

from smartxfer.cli.exit_codes import EXIT_DIFFERENT, get_exit_code, print_error
from smartxfer.cli.output import print_line, print_stderr
from smartxfer.cli.server_options import fault_option, make_server
from smartxfer.demo import (
    FILESENDER_OPTIONS,
    NRP_OPTIONS,
    Row,
    format_json,
    format_table,
    make_files,
    run_services,
    temporary_workspace,
)
from smartxfer.os_text import resolve_source_path

__all__ = ["demo", "parse_size"]

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def parse_size(text: str) -> int:
    """Bytes, of text: ``1000``, ``256K``, ``64M``, ``1G`` (powers of 1024).

    :raises click.BadParameter: it is none.
    """
    found = re.fullmatch(r"(\d+)([KMG]?)", text.strip().upper())
    if found is None:
        raise click.BadParameter(f"{text!r} is no number of bytes, such as 1000, 256K or 64M")
    return int(found.group(1)) * _UNITS[found.group(2)]


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
    with temporary_workspace() as place, make_server(
        faults, filesender=FILESENDER_OPTIONS, nrp=NRP_OPTIONS
    ) as server:
        sources = [resolve_source_path(file, expand=False) for file in files]
        if not sources:
            (place / "files").mkdir()
            sources = make_files(place / "files", size)
        rows, code = [], 0
        for row, error in run_services(server, sources, place / "fetched", print_stderr):
            if error is not None:
                print_error(error)
                code = code or get_exit_code(error)
            elif row.differing:
                code = code or EXIT_DIFFERENT
            rows.append(row)
        _print_rows(rows, as_lines)
        for fault in server.unfired():
            print_stderr(f"a planned fault did not take effect: {fault!r}")
    ctx.exit(code)


def _print_rows(rows: List[Row], as_lines: bool) -> None:
    for row in rows:
        for name in row.differing:
            print_stderr(f"{row.service}: {name} came back changed, or not at all")
    for line in [format_json(row) for row in rows] if as_lines else format_table(rows):
        print_line(line)
