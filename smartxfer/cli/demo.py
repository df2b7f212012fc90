"""``smartxfer demo``: send files to a server on this machine, download them and compare them."""

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
    """Parse a number of bytes: ``1000``, ``256K``, ``64M``, ``1G`` (powers of 1024).

    :raises click.BadParameter: it is invalid.
    """
    match = re.fullmatch(r"(\d+)([KMG]?)", text.strip().upper())
    if match is None:
        raise click.BadParameter(f"{text!r} is not a number of bytes, such as 1000, 256K or 64M")
    return int(match.group(1)) * _UNITS[match.group(2)]


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
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each service, not a table.")
@click.pass_context
def demo(
    ctx: click.Context, files: Tuple[str, ...], faults: Tuple[str, ...], size: int, as_json: bool
) -> None:
    """Send files to a server on this machine, download them, and compare them.

    FILE may be a directory.  Without FILE, files that are difficult to send are generated.  For each service
    an upload is interrupted and resumed, and the connection is broken once.  For services with delta
    transfers, a changed file is sent again as a delta.  Perseus has no downloads: the files in its storage
    are compared.  JetStream sends files from one server to another and back.  All data are deleted at the
    end.

    The exit code is 6 if a downloaded file differs.
    """
    with temporary_workspace() as workspace, make_server(
        faults, filesender=FILESENDER_OPTIONS, nrp=NRP_OPTIONS
    ) as server:
        sources = [resolve_source_path(file, expand=False) for file in files]
        if not sources:
            (workspace / "files").mkdir()
            sources = make_files(workspace / "files", size)
        rows, code = [], 0
        for row, error in run_services(server, sources, workspace / "fetched", print_stderr):
            if error is not None:
                print_error(error)
                code = code or get_exit_code(error)
            elif row.differing:
                code = code or EXIT_DIFFERENT
            rows.append(row)
        _print_rows(rows, as_json)
        for fault in server.unfired():
            print_stderr(f"a planned fault did not take effect: {fault!r}")
    ctx.exit(code)


def _print_rows(rows: List[Row], as_json: bool) -> None:
    for row in rows:
        for name in row.differing:
            print_stderr(f"{row.service}: {name} differs or is missing")
    for line in [format_json(row) for row in rows] if as_json else format_table(rows):
        print_line(line)
