"""``smartxfer serve``: run the local server until a signal stops it."""

import shlex
import threading
from typing import Any, Callable, Dict, Optional, Tuple
from urllib.parse import urlsplit

import click

from smartxfer.cli.exit_codes import Terminated
from smartxfer.cli.server_options import fault_option, make_server
from smartxfer.errors import UsageError
from smartxfer.os_text import resolve_target_path

__all__ = ["serve"]

#: One line of Python for each service, which uses the environment variables that are printed above it.
_PYTHON_EXAMPLES = {
    "filesender": "from smartxfer import FileSenderClient; client = FileSenderClient.from_environment()",
    "smartfile": "from smartxfer.smartfile import BasicClient; api = BasicClient()",
    "nrp": "from smartxfer.nrp import get_client; client = get_client()",
    "perseus": "from smartxfer import PerseusClient; client = PerseusClient()",
    "jetstream": "from smartxfer.jetstream import JetStream; api = JetStream().api(); api.connect()",
    "jetstream_peer": "import os; peer = os.environ['JETSTREAM_PEER_HOST']",
}


def _validate_server_url(
    context: click.Context, option: click.Parameter, value: Optional[str]
) -> Optional[str]:
    """Return the value of an option that must be the URL of a server."""
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise click.BadParameter(f"{value!r} is not the URL of a server, such as http://HOST:PORT")
    return value


def _collect_s3_options(**options: Optional[str]) -> Dict[str, str]:
    """Return the S3 options that were given; none without an S3 server.

    A secret without an S3 server is ignored, because it may be in the environment for another program.

    :raises UsageError: a bucket or a key was given without an S3 server.
    """
    options_in_use = {name: value for name, value in options.items() if value}
    if "s3_endpoint" in options_in_use:
        return options_in_use
    if set(options_in_use) - {"s3_secret"}:
        raise UsageError("bucket and key need an S3 server", hint="add --perseus-s3-endpoint URL")
    return {}


def _port_option(service: str, title: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option for the port of a service.

    :param title: name of the service in the help text.
    """
    return click.option(
        f"--{service}-port",
        type=click.IntRange(0, 65535),
        default=0,
        metavar="N",
        help=f"Port of {title}.  Default: any free one.",
    )


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Directory for objects and metadata, kept after a restart.  Default: a temporary directory.",
)
@click.option(
    "--export",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the export lines to FILE (mode 0600) when all services are running.",
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="H", help="Address to bind.")
@click.option("--allow-remote", is_flag=True, help="Permit an address that is not loopback.")
@_port_option("filesender", "FileSender")
@click.option(
    "--filesender-server-name",
    metavar="HOST:PORT",
    help="Host name for which FileSender requests must be signed.  Default: the host without port.",
)
@_port_option("smartfile", "SmartFile")
@_port_option("nrp", "the NRP repository")
@_port_option("perseus", "Perseus")
@_port_option("jetstream", "JetStream")
@_port_option("jetstream-peer", "the second JetStream server")
@click.option(
    "--perseus-s3-endpoint",
    metavar="URL",
    callback=_validate_server_url,
    help="S3 server for the presigned URLs of Perseus.  Default: a built-in storage.",
)
@click.option(
    "--perseus-s3-bucket", metavar="NAME", help="Existing bucket of the S3 server.  [default: perseus-files]"
)
@click.option("--perseus-s3-key", metavar="KEY", help="Access key of the S3 server.  [default: S3TEST]")
@click.option(
    "--perseus-s3-secret",
    metavar="SECRET",
    envvar="PERSEUS_S3_SECRET",
    show_envvar=True,
    help="Secret of the access key.  [default: S3TESTSECRET]",
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
    perseus_port: int,
    jetstream_port: int,
    jetstream_peer_port: int,
    perseus_s3_endpoint: Optional[str],
    perseus_s3_bucket: Optional[str],
    perseus_s3_key: Optional[str],
    perseus_s3_secret: Optional[str],
    faults: Tuple[str, ...],
) -> None:
    """Run all services on this machine until Ctrl-C or SIGTERM.

    Prints the environment variables with which clients connect to them, a line of Python for each service,
    and the directories with the files of the two JetStream servers.
    """
    server = make_server(
        faults,
        data=None if data is None else resolve_target_path(data, expand=False),
        export=None if export is None else resolve_target_path(export, expand=False),
        host=host,
        allow_remote=allow_remote,
        filesender={"port": filesender_port, "server_name": filesender_server_name},
        smartfile={"port": smartfile_port},
        nrp={"port": nrp_port},
        jetstream={"port": jetstream_port},
        jetstream_peer={"port": jetstream_peer_port},
        perseus={
            "port": perseus_port,
            **_collect_s3_options(
                s3_endpoint=perseus_s3_endpoint,
                s3_bucket=perseus_s3_bucket,
                s3_key=perseus_s3_key,
                s3_secret=perseus_s3_secret,
            ),
        },
    )
    try:
        with server:
            for name, service in server.services.items():
                _print_service(name, service.url, service.env, getattr(service, "root", None))
            _wait_for_signal()
    except Terminated:
        return  # SIGTERM is the normal way to stop: exit code 0


def _print_service(name: str, url: str, env: Dict[str, str], root: Optional[str]) -> None:
    """Print lines that can be pasted into a shell, including the comments.

    :param root: local directory that is ``/`` of the service, if it has one.
    """
    lines = [f"# {name}: {url}"]
    if root is not None:
        lines.append(f"# files of {name}: / is {shlex.quote(root)}")
    lines += [f"export {variable}={shlex.quote(value)}" for variable, value in env.items()]
    lines += [f"# python: {_PYTHON_EXAMPLES[name]}"]
    click.echo("\n".join(lines))  # click.echo flushes


def _wait_for_signal() -> None:
    never = threading.Event()
    # Wait in a loop, because Ctrl-C cannot interrupt a wait without a timeout on Windows.
    while not never.wait(1.0):
        pass
