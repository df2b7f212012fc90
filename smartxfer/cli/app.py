"""The click group of the command: global options, subcommands and error reporting."""

from typing import Any, Optional, Sequence

import click

from smartxfer import __version__
from smartxfer.cli.bridge import jetstream_bridge
from smartxfer.cli.demo import demo
from smartxfer.cli.exit_codes import get_exit_code, print_error, watch_for_termination
from smartxfer.cli.filesender import fetch, send
from smartxfer.cli.logging_setup import show_warnings
from smartxfer.cli.serve import serve

__all__ = ["app", "run"]


class _ErrorReportingGroup(click.Group):
    """Click group that reports errors on standard error and sets the exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError, SystemExit):
            raise  # click handles these
        except BaseException as error:  # noqa: BLE001 - every error is converted to an exit code
            print_error(error)
            ctx.exit(get_exit_code(error))


@click.group(cls=_ErrorReportingGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="smartxfer")
@click.option("--debug", is_flag=True, help="Print the traceback of an error.")
def app(debug: bool) -> None:
    """Send and download files through five transfer services, with verification."""
    del debug  # print_error() reads it from the context
    show_warnings()
    watch_for_termination()


app.add_command(send)
app.add_command(fetch)
app.add_command(demo)
app.add_command(serve)
app.add_command(jetstream_bridge)


def run(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command and return its exit code.

    :param arguments: command-line arguments without the command's name; None for those of the process.
    """
    try:
        app.main(None if arguments is None else list(arguments), prog_name="smartxfer")
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
