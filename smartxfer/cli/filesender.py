"""``smartxfer send`` and ``smartxfer fetch``: transfers through a FileSender site.

A password is read from the terminal or from SMARTXFER_PASSWORD.  It cannot be passed as an option, because
command lines are stored in the history of the shell and are visible to other users of the machine.
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
    help="What to do with an existing file with other content.  Default: an error for this file.",
)
@click.option("--hidden", is_flag=True, help="Keep the leading dot of names.  Default: replace it by _.")
def fetch(link: str, directory: str, exists: Any, hidden: bool) -> None:
    """Download the files of a FileSender download LINK into DIR (default: the current directory).

    An existing file with the same content is kept.  An existing file with other content is an error, unless
    an earlier fetch wrote it or --exists is given.

    An account is not needed.  The same command resumes an interrupted download.  The password of encrypted
    files is read from SMARTXFER_PASSWORD or from the terminal.  If FILESENDER_BASE_URL is set, LINK may be
    the token of a link.
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
@click.option("--to", "recipients", multiple=True, metavar="ADDRESS", help="Recipient.  May be repeated.")
@click.option("--from", "sender", metavar="ADDRESS", help="Sender.  Default: the user name.")
@click.option("--subject", metavar="TEXT", help="Subject of the mail.")
@click.option("--message", metavar="TEXT", help="Text of the mail.")
@click.option(
    "--encrypt",
    is_flag=True,
    help="Encrypt the files with the password in SMARTXFER_PASSWORD, or read from the terminal twice.",
)
@click.option("--generate-password", is_flag=True, help="Encrypt the files with a new password and print it.")
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
    """Send FILEs and directories through FileSender, and print the download link or the recipients.

    Without --to a download link is created.  The site and the credentials are read from FILESENDER_BASE_URL,
    FILESENDER_USERNAME and FILESENDER_API_KEY, or from another configured source.  The same command resumes
    an interrupted upload.
    """
    from smartxfer.filesender import FileSenderClient

    values = {"from": sender, "subject": subject, "message": message}
    args: Any = {name: decode_os_text(text) for name, text in values.items() if text is not None}
    if recipients:
        args["recipients"] = [decode_os_text(address) for address in recipients]
    password: Any = None
    if generate_password:
        password = _generate_and_print_password()
    elif encrypt:
        password = _get_upload_password
    sources = [resolve_source_path(file, expand=False) for file in files]
    with FileSenderClient.from_environment() as client:
        try:
            transfer = client.upload_workflow(
                sources, args, password=password, accept_aup=accept_aup, progress=True
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
    return _get_environment_password() or _prompt_password("Password of the files", confirm=False)


def _get_upload_password() -> str:
    return _get_environment_password() or _prompt_password("Password for the files", confirm=True)


def _generate_and_print_password() -> str:
    """Generate a password and print it before the upload, so that it is not lost if the upload fails."""
    from smartxfer.filesender import generate_password

    if is_output_closed():
        raise UsageError(
            "standard output is closed, so the new password cannot be printed",
            hint=f"set {_PASSWORD_VARIABLE} and use --encrypt",
        )
    password = generate_password()
    click.echo(f"password: {password}")  # unlike print_line(), it raises an error if the output is closed
    return password


def _get_environment_password() -> Optional[str]:
    return decode_os_text(os.environ.get(_PASSWORD_VARIABLE) or "") or None


def _prompt_password(prompt: str, *, confirm: bool) -> str:
    """Read a password from the terminal.

    :raises UsageError: standard input is not a terminal.
    """
    hint = f"set {_PASSWORD_VARIABLE} or use a terminal"
    try:
        with warnings.catch_warnings():
            # Without a terminal getpass would echo the input and issue a warning.
            warnings.simplefilter("error", getpass.GetPassWarning)
            password: str = click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
    except getpass.GetPassWarning:
        raise UsageError("cannot read a password: standard input is not a terminal", hint=hint) from None
    except click.Abort as abort:
        if isinstance(abort.__context__, EOFError):
            raise UsageError("no password was given", hint=hint) from None
        raise KeyboardInterrupt from None
    return decode_os_text(password)


def _print_failures(error: BatchError) -> None:
    """Print the files that failed with their errors, and the hint for existing files."""
    existing = [result.error for result in error.results if isinstance(result.error, TargetExists)]
    if existing:
        print_stderr(f"hint: {existing[0].hint}")
    for result in error.results:
        if result.error is not None:
            reason = result.error.summary if isinstance(result.error, SmartxferError) else str(result.error)
            print_stderr(f"{result.name}: {reason}")
