"""``smartxfer send`` and ``smartxfer fetch``: files through a FileSender site.

A password is asked for at the terminal or read from SMARTXFER_PASSWORD.  No option takes one: shells keep a
history, and everybody on the machine sees the words of a command.
"""

import getpass
import os
import warnings
from typing import Any, Optional, Tuple

import click

from smartxfer.cli.output import is_output_closed, print_line, print_path, print_stderr
from smartxfer.errors import BatchError, SmartxferError, TargetExists, UsageError
from smartxfer.os_text import decode_os_text, resolve_source_path, resolve_target_path
from smartxfer.secret_text import as_secret_url
from smartxfer.terminal_text import escape_unprintable

__all__ = ["fetch", "send"]

_PASSWORD_VARIABLE = "SMARTXFER_PASSWORD"  # noqa: S105 - the name of a variable


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
    from smartxfer.filesender.site_address import extract_token, get_link_base_url

    link = as_secret_url(link)
    token = extract_token(link)
    target = resolve_target_path(directory, expand=False)
    with FileSenderClient(link if get_link_base_url(link) is not None else None) as client:
        try:
            results = client.download_files(
                token,
                target,
                password=_get_download_password,
                exists=exists,
                hidden=hidden,
                progress=True,
            )
        except BatchError as error:
            _print_failures(error)
            raise
    for result in results:
        if result.path is not None:
            print_path(result.path)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True), metavar="FILE...")
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
    args: Any = {name: decode_os_text(text) for name, text in given.items() if text is not None}
    if recipients:
        args["recipients"] = [decode_os_text(address) for address in recipients]
    password: Any = None
    if generate_password:
        password = _generate_and_print_password()
    elif encrypt:
        password = _get_upload_password
    things = [resolve_source_path(file, expand=False) for file in files]
    with FileSenderClient.from_environment() as client:
        try:
            transfer = client.upload_workflow(
                things, args, password=password, accept_aup=accept_aup, progress=True
            )
        except BatchError as error:
            _print_failures(error)
            raise
    if recipients:
        print_line(
            escape_unprintable(f"sent to {', '.join(person.email or '' for person in transfer.recipients)}")
        )
    else:
        print_line(escape_unprintable(transfer.download_url or ""))


def _get_download_password() -> str:
    """The password of what somebody else has sent."""
    return _get_environment_password() or _prompt_password("Password of the files", confirm=False)


def _get_upload_password() -> str:
    """The password of what is sent now."""
    return _get_environment_password() or _prompt_password("Password for the files", confirm=True)


def _generate_and_print_password() -> str:
    """A password that is shown before anything is sent: whoever runs the command again has it."""
    from smartxfer.filesender import generate_password

    if is_output_closed():
        raise UsageError(
            "standard output is closed: the new password would be lost",
            hint="pass --password, or redirect standard output to a file",
        )
    made = generate_password()
    click.echo(f"password: {made}")  # not print_line: without it nothing is sent
    return made


def _get_environment_password() -> Optional[str]:
    return decode_os_text(os.environ.get(_PASSWORD_VARIABLE) or "") or None


def _prompt_password(prompt: str, *, confirm: bool) -> str:
    """What is typed at the terminal.

    :raises UsageError: nobody is there to type it.
    """
    advice = f"set {_PASSWORD_VARIABLE} or use a terminal"
    try:
        with warnings.catch_warnings():
            # Without a terminal getpass would show what is typed, and a warning.
            warnings.simplefilter("error", getpass.GetPassWarning)
            typed: str = click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
    except getpass.GetPassWarning:
        raise UsageError("a password cannot be asked for: there is no terminal", hint=advice) from None
    except click.Abort as abort:
        if isinstance(abort.__context__, EOFError):
            raise UsageError("no password was given", hint=advice) from None
        raise KeyboardInterrupt from None
    return decode_os_text(typed)


def _print_failures(error: BatchError) -> None:
    """Name the files that failed, each with its reason, and what to do about existing ones."""
    existing = [result.error for result in error.results if isinstance(result.error, TargetExists)]
    if existing:
        print_stderr(f"hint: {existing[0].hint}")
    for result in error.results:
        if result.error is not None:
            why = result.error.summary if isinstance(result.error, SmartxferError) else str(result.error)
            print_stderr(f"{result.name}: {why}")
