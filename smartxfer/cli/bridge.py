"""``smartxfer jetstream-bridge``: run the bridge to a JetStream server until a signal stops it."""

import shlex
import threading

import click

from smartxfer.cli.exit_codes import Terminated
from smartxfer.errors import UsageError

__all__ = ["jetstream_bridge"]


@click.command("jetstream-bridge")
@click.option(
    "--host",
    default="localhost",
    show_default=True,
    metavar="HOST",
    help="Name or address of the JetStream server.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8886,
    show_default=True,
    metavar="PORT",
    help="Its API control port.",
)
@click.option("--listen", default="127.0.0.1", show_default=True, metavar="HOST", help="Address to bind.")
@click.option(
    "--listen-port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Port to bind.  Default: any free one.",
)
@click.option(
    "--allow-remote",
    is_flag=True,
    help="Permit an address that is not loopback; passwords are sent without encryption.",
)
def jetstream_bridge(host: str, port: int, listen: str, listen_port: int, allow_remote: bool) -> None:
    """Forward JSON-RPC calls over HTTP to a JetStream server until Ctrl-C or SIGTERM.

    Needs the vendor's Python package jetstream, which comes with the product.  Prints the environment
    variables with which a client connects to the bridge.
    """
    try:
        import werkzeug  # noqa: F401 - check that it is installed
    except ImportError:
        raise UsageError("the bridge needs werkzeug", hint='pip install "smartxfer[local]"') from None
    from smartxfer.jetstream_bridge import Bridge

    bridge = Bridge(host, port, listen=listen, listen_port=listen_port, allow_remote=allow_remote)
    try:
        with bridge:
            lines = [f"# jetstream-bridge: {bridge.url} to {host} port {port}"]
            lines += [f"export {name}={shlex.quote(value)}" for name, value in bridge.env.items()]
            lines += ["# python: from smartxfer.jetstream import JetStream; api = JetStream().api()"]
            click.echo("\n".join(lines))  # click.echo flushes
            never = threading.Event()
            # Wait in a loop, because Ctrl-C cannot interrupt a wait without a timeout on Windows.
            while not never.wait(1.0):
                pass
    except Terminated:
        return  # SIGTERM is the normal way to stop: exit code 0
