"""The command's trunk: its options, its subcommands, and what it says when they fail."""

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
    """A group whose errors become one line on standard error and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError, SystemExit):
            raise  # click's own business
        except BaseException as error:  # noqa: BLE001 - whatever it is, it ends as an exit code
            print_error(error)
            ctx.exit(get_exit_code(error))


@click.group(cls=_ErrorReportingGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="smartxfer")
@click.option("--debug", is_flag=True, help="Show where an error comes from.")
def app(debug: bool) -> None:
    """Files sent and fetched, whole and verified, through five transfer services."""
    del debug  # read where errors are reported
    show_warnings()
    watch_for_termination()


app.add_command(send)
app.add_command(fetch)
app.add_command(demo)
app.add_command(serve)
app.add_command(jetstream_bridge)


def run(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command; the exit code.

    :param arguments: words after the command's name; None takes those of the process.
    """
    try:
        app.main(None if arguments is None else list(arguments), prog_name="smartxfer")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
