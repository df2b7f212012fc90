"""``smartxfer send`` and ``smartxfer fetch``: files through a FileSender site.

A password is asked for at the terminal or read from SMARTXFER_PASSWORD.  No option takes one: shells keep a
history, and everybody on the machine sees the words of a command.
"""

import getpass
import os
import warnings
from typing import Any, Optional, Tuple

import click

from smartxfer.cli.output import is_output_closed, print_line, print_path, say
from smartxfer.errors import BatchError, SmartxferError, TargetExists, UsageError
from smartxfer.screen_text import visible
from smartxfer.secret_text import as_url
from smartxfer.system_text import source_path, target_path, unicode_text

__all__ = ["fetch", "send"]

_VARIABLE = "SMARTXFER_PASSWORD"


@click.command()
@click.argument("link")
@click.argument("directory", default=".", type=click.Path(file_okay=False), metavar="[DIR]")
@click.option(
    "--exists",
    type=click.Choice(["replace", "skip", "rename"]),
    help="For an existing file with other content.  Default: an error for this file.",
)
@click.option("--hidden", is_flag=True, help="Keep the leading dot of names.  Default: it becomes _.")
def fetch(link: str, directory: str, exists: Any, hidden: bool) -> None:
    """Fetch the files that a FileSender download LINK leads to, into DIR (default: this directory).

    An existing file with the same content is kept.  One with other content is an error unless an earlier
    fetch wrote it or --exists says what to do.

    No account is needed.  The same command goes on where a broken one stopped.  For encrypted files the
    password is taken from SMARTXFER_PASSWORD or asked for.  The token alone will do where the site is known
    from FILESENDER_BASE_URL.
    """
    from smartxfer.filesender import FileSenderClient
    from smartxfer.filesender.site import link_base, token_of

    link = as_url(link)
    token = token_of(link)
    target = target_path(directory, expand=False)
    with FileSenderClient(link if link_base(link) is not None else None) as client:
        try:
            results = client.download_files(
                token,
                target,
                password=_known_password,
                exists=exists,
                hidden=hidden,
                progress=True,
            )
        except BatchError as error:
            _tell_failures(error)
            raise
    for result in results:
        if result.path is not None:
            print_path(result.path)


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True), metavar="FILE..."
)
@click.option("--to", "recipients", multiple=True, metavar="ADDRESS", help="Who is told.  May be repeated.")
@click.option("--from", "sender", metavar="ADDRESS", help="Who sends it.  Default: the user name.")
@click.option("--subject", metavar="TEXT", help="Subject of the mail.")
@click.option("--message", metavar="TEXT", help="Text of the mail.")
@click.option(
    "--encrypt",
    is_flag=True,
    help="Encrypt the files with a password: that in SMARTXFER_PASSWORD, or one that is asked for twice.",
)
@click.option("--generate-password", is_flag=True, help="Encrypt them with a new password, and print it.")
@click.option("--accept-aup", is_flag=True, help="Accept the site's terms of use.")
def send(
    files: Tuple[str, ...],
    recipients: Tuple[str, ...],
    sender: Optional[str],
    subject: Optional[str],
    message: Optional[str],
    encrypt: bool,
    generate_password: bool,
    accept_aup: bool,
) -> None:
    """Send FILEs and directories through FileSender, and print the link or who is told.

    Without --to there is a link for you to pass on.  The site and the credentials are those of
    FILESENDER_BASE_URL, FILESENDER_USERNAME and FILESENDER_API_KEY, or of any other place where they are
    looked for.  The same command goes on where a broken one stopped.
    """
    from smartxfer.filesender import FileSenderClient

    given = {"from": sender, "subject": subject, "message": message}
    args: Any = {name: unicode_text(text) for name, text in given.items() if text is not None}
    if recipients:
        args["recipients"] = [unicode_text(address) for address in recipients]
    password: Any = None
    if generate_password:
        password = _new_password()
    elif encrypt:
        password = _chosen_password
    things = [source_path(file, expand=False) for file in files]
    with FileSenderClient.from_environment() as client:
        try:
            transfer = client.upload_workflow(
                things, args, password=password, accept_aup=accept_aup, progress=True
            )
        except BatchError as error:
            _tell_failures(error)
            raise
    if recipients:
        print_line(visible(f"sent to {', '.join(person.email or '' for person in transfer.recipients)}"))
    else:
        print_line(visible(transfer.download_url or ""))


def _known_password() -> str:
    """The password of what somebody else has sent."""
    return _from_environment() or _asked("Password of the files", twice=False)


def _chosen_password() -> str:
    """The password of what is sent now."""
    return _from_environment() or _asked("Password for the files", twice=True)


def _new_password() -> str:
    """A password that is shown before anything is sent: whoever runs the command again has it."""
    from smartxfer.filesender import generate_password

    if is_output_closed():
        raise UsageError("standard output is closed: the new password would be lost")
    made = generate_password()
    click.echo(f"password: {made}")  # not print_line: without it nothing is sent
    return made


def _from_environment() -> Optional[str]:
    return unicode_text(os.environ.get(_VARIABLE) or "") or None


def _asked(text: str, *, twice: bool) -> str:
    """What is typed at the terminal.

    :raises UsageError: nobody is there to type it.
    """
    advice = f"set {_VARIABLE} or use a terminal"
    try:
        with warnings.catch_warnings():
            # Without a terminal getpass would show what is typed, and a warning.
            warnings.simplefilter("error", getpass.GetPassWarning)
            typed: str = click.prompt(text, hide_input=True, confirmation_prompt=twice, err=True)
    except getpass.GetPassWarning:
        raise UsageError("a password cannot be asked for: there is no terminal", hint=advice) from None
    except click.Abort as abort:
        if isinstance(abort.__context__, EOFError):
            raise UsageError("no password was given", hint=advice) from None
        raise KeyboardInterrupt from None
    return unicode_text(typed)


def _tell_failures(error: BatchError) -> None:
    """Name the files that failed, each with its reason, and what to do about existing ones."""
    existing = [result.error for result in error.results if isinstance(result.error, TargetExists)]
    if existing:
        say(f"hint: {existing[0].hint}")
    for result in error.results:
        if result.error is not None:
            why = result.error.summary if isinstance(result.error, SmartxferError) else str(result.error)
            say(f"{result.name}: {why}")
