"""``smartxfer serve``: the local server until it is told to stop."""

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

#: One line of Python for each service; it reads the variables that are printed above it.
_PYTHON_EXAMPLES = {
    "filesender": "from smartxfer import FileSenderClient; client = FileSenderClient.from_environment()",
    "smartfile": "from smartxfer.smartfile import BasicClient; api = BasicClient()",
    "nrp": "from smartxfer.nrp import get_client; client = get_client()",
    "perseus": "from smartxfer import PerseusClient; client = PerseusClient()",
    "jetstream": "from smartxfer.jetstream import JetStream; api = JetStream().api(); api.connect()",
    "jetstream_peer": "import os; far = os.environ['JETSTREAM_PEER_HOST']",
}


def _validate_server_url(
    context: click.Context, option: click.Parameter, value: Optional[str]
) -> Optional[str]:
    """The address of a server, as an option's value."""
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise click.BadParameter(f"{value!r} is not the address of a server: http://HOST:PORT is one")
    return value


def _collect_s3_options(**options: Optional[str]) -> Dict[str, str]:
    """The options of the storage that were given; none without a server to which they belong.

    :raises UsageError: bucket or key are without one; a secret may be in the environment for others.
    """
    found = {name: value for name, value in options.items() if value}
    if "s3_endpoint" in found:
        return found
    if set(found) - {"s3_secret"}:
        raise UsageError("bucket and key need an S3 server", hint="add --perseus-s3-endpoint URL")
    return {}


def _port_option(service: str, title: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option for the port of a service.

    :param title: how its help calls the service.
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
@_port_option("filesender", "FileSender")
@click.option(
    "--filesender-server-name",
    metavar="HOST:PORT",
    help="Name for which FileSender wants requests signed.  Default: the host without port.",
)
@_port_option("smartfile", "SmartFile")
@_port_option("nrp", "the NRP repository")
@_port_option("perseus", "Perseus")
@_port_option("jetstream", "JetStream")
@_port_option("jetstream-peer", "the JetStream that it sends to")
@click.option(
    "--perseus-s3-endpoint",
    metavar="URL",
    callback=_validate_server_url,
    help="S3 server that Perseus hands out addresses of.  Default: a storage of its own.",
)
@click.option(
    "--perseus-s3-bucket", metavar="NAME", help="Bucket there, which exists.  [default: perseus-files]"
)
@click.option("--perseus-s3-key", metavar="KEY", help="Access key there.  [default: S3TEST]")
@click.option(
    "--perseus-s3-secret",
    metavar="SECRET",
    envvar="PERSEUS_S3_SECRET",
    show_envvar=True,
    help="Its secret.  [default: S3TESTSECRET]",
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
    """Run every service on this machine until Ctrl-C or SIGTERM.

    Prints the environment variables that point a client at it, a line of Python for each service, and the
    directories that hold the files of the two JetStream servers.
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
        return  # told to stop, and stopped: nothing has failed


def _print_service(name: str, url: str, env: Dict[str, str], root: Optional[str]) -> None:
    """Print lines that can be pasted into a shell as they are, comments included.

    :param root: directory on disk that ``/`` means, where the service has one.
    """
    lines = [f"# {name}: {url}"]
    if root is not None:
        lines.append(f"# files of {name}: / is {shlex.quote(root)}")
    lines += [f"export {variable}={shlex.quote(value)}" for variable, value in env.items()]
    lines += [f"# python: {_PYTHON_EXAMPLES[name]}"]
    click.echo("\n".join(lines))  # click.echo flushes


def _wait_for_signal() -> None:
    never = threading.Event()
    # Windows cannot interrupt a wait without an end.
    while not never.wait(1.0):
        pass
