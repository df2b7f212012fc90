"""Configuration of the local FileSender.

Source: FileSender protocol, sections 3, 4, 6, 8.3, 9, 12 (stock values) and 13 (2.x).
"""

import re
from typing import Dict, Optional, Sequence

import attrs

from smartxfer.errors import UsageError
from smartxfer.local.options import Options, one_of, parse_users, validate_count, validate_size

#: Default rule for names, as published: without an end. The server matches the whole name.
_NAMES = r"^[ \/\p{L}\p{N}_\.,;:!@#$%^&*)(\]\[_-]+"


def _base_path(value: str) -> str:
    return "/" + value.strip("/") if value.strip("/") else ""


@attrs.frozen
class Site(Options):
    """Configuration of the local FileSender, with the values of a stock server.

    :param port: port to listen on, 0 for any.
    :param base_path: path of the site, such as ``/filesender``.
    :param server_name: name that requests are signed for, as an administrator may set it. None: the
        host without the port, as on a stock web server. The words ``"host:port"`` stand for the
        host and port that the listener gets.
    :param version: emulated release: ``"3.8"``, or ``"2.67"`` for an older server.
    :param chunk_security: ``"key"``: chunks need no signature; ``"auth"``: they do.
    :param roundtrip_check: whether users, too, must send the round-trip token; guests always must.
    :param csrf: whether guests must send the csrf header.
    :param users: names of users, or a mapping of names to their API keys (None: generated).
    :param admins: names of users who are administrators.
    :param upload_chunk_size: largest chunk, bytes.
    :param max_transfer_files: files of a transfer.
    :param max_transfer_size: bytes of a transfer.
    :param max_transfer_file_size: bytes of a file, 0 for no limit.
    :param max_transfer_encrypted_file_size: bytes of an encrypted file, 0 for no limit.
    :param max_transfer_recipients: recipients of a transfer.
    :param max_transfer_days_valid: maximum days that a sender may request.
    :param default_transfer_days_valid: days if the sender requests none.
    :param max_guest_days_valid: days that a voucher is valid at most, and by default.
    :param valid_filename_regex: rule for names as the site publishes it (JavaScript).
    :param ban_extension: extensions that are refused, comma separated.
    :param extension_whitelist_regex: rule for extensions as the site publishes it.
    :param expiry_extension_days: days of the one extension of a transfer; 0: not allowed.
    :param guest_extension_days: days of the one extension of a voucher; 0: not allowed.
    :param strict_ranges: emulate the errors of real servers with ranges.
    :param any_name: accept names that no site accepts, for tests of downloads.
    :param plain_ranges: ignore ranges and respond with 200.
    :param aup_required: whether the terms of use must be accepted.
    :param clock_offset: seconds by which the server's clock is ahead of this machine's.
    :param encryption_key_version: key version for new files (0 to 3). None: that of
        the release, 3 for a 3.8 and 1 for a 2.67.
    :param encryption_iterations: rounds of the key derivation for new files.
    :param encryption_mandatory: refuse transfers that are not encrypted.
    :param base64_chunks: chunks of encrypted files are sent as base64 text.
    :param chunk_digests: a 3.x refuses each chunk without the right ``X-Filesender-Digest-SHA256``, as
        a site with chunked storage and hash checking does.
    :param maintenance: the site is undergoing maintenance: calls fail with 503, pages show a message.
    :param database_down: the database is unreachable: calls fail with
        ``failed_to_connect_to_database``.
    :param mail_fails: the mail server is unreachable: a completion with mails fails
        after the transfer became available.
    :param max_reminders_per_day: reminders that the site sends in 24 hours.
    :param max_guests_per_day: invitations of guests that the site sends in 24 hours.
    :param disclose_version: whether ``/info`` contains the version.
    """

    title = "FileSender"
    fixed = ("port", "base_path", "users")

    base_path: str = attrs.field(default="", converter=_base_path)
    server_name: Optional[str] = None
    version: str = attrs.field(default="3.8", validator=one_of("3.8", "2.67"))
    chunk_security: str = attrs.field(default="key", validator=one_of("key", "auth"))
    roundtrip_check: bool = False
    csrf: bool = True
    users: Dict[str, Optional[str]] = attrs.field(
        factory=lambda: {"ann@example.org": None}, converter=parse_users, repr=False
    )
    admins: Sequence[str] = ()
    upload_chunk_size: int = attrs.field(default=5 << 20, validator=validate_count)
    max_transfer_files: int = attrs.field(default=30, validator=validate_count)
    max_transfer_size: int = attrs.field(default=100 << 30, validator=validate_count)
    max_transfer_file_size: int = attrs.field(default=0, validator=validate_count)
    max_transfer_encrypted_file_size: int = attrs.field(default=0, validator=validate_count)
    max_transfer_recipients: int = attrs.field(default=50, validator=validate_count)
    max_transfer_days_valid: int = attrs.field(default=20, validator=validate_count)
    default_transfer_days_valid: int = attrs.field(default=10, validator=validate_count)
    max_guest_days_valid: int = attrs.field(default=20, validator=validate_count)
    valid_filename_regex: str = _NAMES
    ban_extension: str = "exe,bat"
    extension_whitelist_regex: str = "^[a-zA-Z0-9]*$"
    expiry_extension_days: int = attrs.field(default=0, validator=validate_count)
    guest_extension_days: int = attrs.field(default=0, validator=validate_count)
    strict_ranges: bool = True
    plain_ranges: bool = False
    any_name: bool = False
    aup_required: bool = False
    clock_offset: float = 0.0
    encryption_key_version: Optional[int] = attrs.field(default=None, validator=one_of(None, 0, 1, 2, 3))
    encryption_iterations: int = attrs.field(default=4096000, validator=validate_size)
    encryption_mandatory: bool = False
    base64_chunks: bool = False
    chunk_digests: bool = False
    maintenance: bool = False
    database_down: bool = False
    mail_fails: bool = False
    max_reminders_per_day: int = attrs.field(default=100, validator=validate_count)
    max_guests_per_day: int = attrs.field(default=100, validator=validate_count)
    disclose_version: bool = False

    @property
    def is_2x(self) -> bool:
        """True if an older server is emulated (section 13)."""
        return self.version.startswith("2.")

    @property
    def new_key_version(self) -> int:
        """Key version in the configuration script."""
        if self.encryption_key_version is not None:
            return self.encryption_key_version
        return 1 if self.is_2x else 3

    def check(self) -> None:
        """Reject limits and rules that no site could have."""
        if not self.upload_chunk_size:
            raise UsageError(
                "upload_chunk_size must be above 0", hint="pass upload_chunk_size=5_000_000, for example"
            )
        for rule in (self.valid_filename_regex, self.extension_whitelist_regex):
            try:
                python_rule(rule)
            except re.error as error:
                raise UsageError(
                    f"invalid regular expression {rule!r}: {error}", hint="correct the regular expression"
                ) from error


def python_rule(rule: str) -> "re.Pattern[str]":
    r"""Convert a published rule to Python's syntax: ``\p{L}`` and ``\p{N}`` are parts of ``\w``."""
    return re.compile(re.sub(r"\\p\{[A-Z][a-z]?\}", r"\\w", rule))
