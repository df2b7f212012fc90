"""``smartxfer serve``: the local server until it is told to stop."""

import shlex
import threading
from typing import Dict, Optional, Tuple

import click

from smartxfer.cli.exits import Terminated
from smartxfer.cli.servers import fault_option, make_server

__all__ = ["serve"]

#: One line of Python for each service; it reads the variables that are printed above it.
_PYTHON = {
    "filesender": "from smartxfer import FileSenderClient; client = FileSenderClient.from_environment()",
    "smartfile": "from smartxfer.smartfile import BasicClient; api = BasicClient()",
    "nrp": "from smartxfer.nrp import get_client; client = get_client()",
}


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Keep objects and metadata here, over restarts.  Default: a temporary directory.",
)
@click.option(
    "--export",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the export lines to FILE (mode 0600) once every service answers.",
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="H", help="Address to bind.")
@click.option("--allow-remote", is_flag=True, help="Permit an address that is not loopback.")
@click.option(
    "--filesender-port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Port of FileSender.  Default: any free one.",
)
@click.option(
    "--filesender-server-name",
    metavar="HOST:PORT",
    help="Name for which FileSender wants requests signed.  Default: the host without port.",
)
@click.option(
    "--smartfile-port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Port of SmartFile.  Default: any free one.",
)
@click.option(
    "--nrp-port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Port of the NRP repository.  Default: any free one.",
)
@fault_option
def serve(
    data: Optional[str],
    export: Optional[str],
    host: str,
    allow_remote: bool,
    filesender_port: int,
    filesender_server_name: Optional[str],
    smartfile_port: int,
    nrp_port: int,
    faults: Tuple[str, ...],
) -> None:
    """Run every service on this machine until Ctrl-C or SIGTERM.

    Prints the environment variables that point a client at it, and a line of Python for each service.
    """
    server = make_server(
        faults,
        data=data,
        export=export,
        host=host,
        allow_remote=allow_remote,
        filesender={"port": filesender_port, "server_name": filesender_server_name},
        smartfile={"port": smartfile_port},
        nrp={"port": nrp_port},
    )
    try:
        with server:
            for name, service in server.services.items():
                _announce(name, service.url, service.env)
            _wait_for_a_signal()
    except Terminated:
        return  # told to stop, and stopped: nothing has failed


def _announce(name: str, url: str, env: Dict[str, str]) -> None:
    """Lines that can be pasted into a shell as they are, comments included."""
    lines = [f"# {name}: {url}"]
    lines += [f"export {variable}={shlex.quote(value)}" for variable, value in env.items()]
    lines += [f"# python: {_PYTHON[name]}"]
    click.echo("\n".join(lines))  # click.echo flushes


def _wait_for_a_signal() -> None:
    never = threading.Event()
    # Windows cannot interrupt a wait without an end.
    while not never.wait(1.0):
        pass
