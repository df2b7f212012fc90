"""Validation of transfers and guests before they are created.

Names, sizes, counts and addresses are checked here, because a site that rejects a transfer during its
creation leaves an incomplete transfer that cannot be deleted.

Source: FileSender protocol, sections 2.1, 4, 6.1, 10, 12 and 15.
"""

import datetime as dt
import re
from typing import Any, Iterable, List, Mapping, Match, Optional, Pattern

from smartxfer.errors import UsageError
from smartxfer.filesender.email_addresses import validate_email_address
from smartxfer.filesender.site_address import SiteConfig

__all__ = ["filename_pattern", "validate_guest", "validate_name", "validate_transfer"]

#: The rule of a default installation: letters and digits of any script, and some punctuation.
_DEFAULT_FILENAME_PATTERN = re.compile(r"\A[\w .,;:!@#$%^&*)(\][/-]+\Z")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MAX_NAME_LENGTH = 255
_DAY_SECONDS = 24 * 3600
#: Maximum number of names in a message.
_MAX_LISTED = 100
#: Longer patterns of a site are not evaluated by the client.
_MAX_PATTERN_LENGTH = 300
_ESCAPE_OR_SET = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]")


def validate_transfer(body: Mapping[str, Any], config: SiteConfig, now: float) -> None:
    """Check the body of ``POST /transfer`` against the site's limits.

    :param now: seconds since the epoch.
    :raises UsageError: the body violates a limit; for names and sizes, the message lists all that do.
    """
    files = body["files"]
    if not files:
        raise UsageError("no files to send", hint="pass at least one file")
    _validate_counts(files, body["recipients"], config, bool(body.get("encryption")))
    _validate_names([file["name"] for file in files], config)
    for address in body["recipients"]:
        validate_email_address(address, "recipient")
    if "from" in body:
        validate_email_address(body["from"], "'from'")
    _validate_expiry(body.get("expires"), config, now)
    if config.encryption_mandatory and not body.get("encryption"):
        raise UsageError("the site accepts only encrypted transfers", hint="pass password=")


def validate_guest(body: Mapping[str, Any]) -> None:
    """Check the body of ``POST /guest``.

    :raises UsageError: an address is missing or invalid.
    """
    validate_email_address(body.get("recipient", ""), "recipient")
    validate_email_address(body.get("from", ""), "'from'")


def _validate_counts(files: List[Any], recipients: List[Any], config: SiteConfig, encrypted: bool) -> None:
    total = sum(file["size"] for file in files)
    for unit, value, limit in (
        ("files", len(files), config.max_transfer_files),
        ("recipients", len(recipients), config.max_transfer_recipients),
        ("bytes", total, config.max_transfer_size),
    ):
        if limit and value > limit:
            raise UsageError(
                f"too many {unit}: {value}; the site allows {limit} per transfer",
                hint=f"send at most {limit} {unit} per call",
            )
    max_size = config.max_transfer_encrypted_file_size if encrypted else config.max_transfer_file_size
    large = [
        f"{file['name']!r} ({file['size']} bytes)" for file in files if max_size and file["size"] > max_size
    ]
    if large:
        raise UsageError(
            f"too large: {_join_limited(large)}; the site allows {max_size} bytes per file",
            hint=f"split the files into parts of at most {max_size} bytes, or ask the site's administrator",
        )


def _validate_names(names: Iterable[str], config: SiteConfig) -> None:
    """Check all names before raising an error, so that the message lists every invalid name.

    :raises UsageError: a name is invalid.
    """
    pattern = filename_pattern(config.valid_filename_regex)
    errors = []
    for name in names:
        try:
            validate_name(name, config, pattern)
        except UsageError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise UsageError(
            f"{len(errors)} invalid names: {_join_limited(error.summary for error in errors)}",
            hint="pass each file as (other_name, path)",
        )


def _join_limited(texts: Iterable[str]) -> str:
    items = list(texts)
    more = [f"and {len(items) - _MAX_LISTED} more"] if len(items) > _MAX_LISTED else []
    return "; ".join(items[:_MAX_LISTED] + more)


def validate_name(name: str, config: SiteConfig, pattern: Optional[Pattern[str]]) -> None:
    """Check the name of a file, including its directories.

    :param pattern: the site's pattern, which must match the complete name.
    :raises UsageError: the site would reject the name, or it has the component ``..``.
    """
    hint = "pass the file as (other_name, path)"
    if "" in name.split("/"):
        raise UsageError(f"invalid name {name!r}: it is absolute or has an empty component", hint=hint)
    if not name.isprintable() and _CONTROL_CHARACTER.search(name):
        raise UsageError(f"invalid name {name!r}: it contains control characters", hint=hint)
    if len(name) > _MAX_NAME_LENGTH:
        raise UsageError(
            f"invalid name {name[:40]!r}...: it is longer than {_MAX_NAME_LENGTH} characters", hint=hint
        )
    if ".." in name.split("/"):
        raise UsageError(f"invalid name {name!r}: it has the component '..'", hint=hint)
    if pattern is not None and not pattern.search(name):
        invalid = sorted({character for character in name if not pattern.search(character)})
        raise UsageError(
            f"the site does not accept the name {name!r}"
            + (f": invalid characters: {' '.join(invalid)}" if invalid else ""),
            hint=hint,
        )
    _validate_extension(name, config)


def _validate_extension(name: str, config: SiteConfig) -> None:
    """Check the extension of a name; the comparison with banned extensions is case-sensitive (section 15)."""
    base = name.rsplit("/", 1)[-1]
    if "." not in base:
        return
    extension = base.rsplit(".", 1)[-1]
    banned = [part.strip() for part in (config.ban_extension or "").split(",") if part.strip()]
    allowed = _compile_pattern(config.extension_whitelist_regex)
    if extension in banned or (allowed is not None and not allowed.search(extension)):
        raise UsageError(
            f"the site does not accept files with the extension {extension!r} ({name!r})",
            hint="rename the file or put it in an archive",
        )


def _validate_expiry(expires: Any, config: SiteConfig, now: float) -> None:
    if expires is None:
        return
    hint = "pass seconds since the epoch, or a date as YYYY-MM-DD"
    tolerance = 0
    if isinstance(expires, str) and not expires.isdigit():
        tolerance = _DAY_SECONDS  # the day may begin at another time in the site's time zone
        try:
            day = dt.datetime.strptime(expires, "%Y-%m-%d").replace(tzinfo=dt.timezone.utc)
        except ValueError:
            raise UsageError(f"invalid expires: {expires!r}", hint=hint) from None
        expires = day.timestamp()
    if not isinstance(expires, (int, float, str)):
        raise UsageError(f"invalid expires: {expires!r}", hint=hint)
    remaining = float(expires) - now
    if remaining <= 0:
        raise UsageError("expires is in the past", hint=hint)
    days = config.max_transfer_days_valid
    if days and remaining > days * _DAY_SECONDS + tolerance:
        raise UsageError(
            f"expires is too late: the site allows {days} days", hint=f"pass expires within {days} days"
        )


def filename_pattern(pattern: Optional[str]) -> Optional[Pattern[str]]:
    """Return the site's rule for names as a Python pattern.

    The server requires the complete name to match, although the published rule does not end with an anchor
    (section 15).

    :param pattern: the published rule; None for the rule of a default installation.
    :return: None if the rule cannot be evaluated here; the site then checks the names.
    """
    return _DEFAULT_FILENAME_PATTERN if not pattern else _compile_pattern(pattern, suffix=r"\Z")


def _compile_pattern(pattern: Optional[str], suffix: str = "") -> Optional[Pattern[str]]:
    if not pattern or len(pattern) > _MAX_PATTERN_LENGTH:
        return None
    body = re.sub(r"\\p\{(?:L|Letter|N|Nd)\}|\\p(?:L|N)", lambda _: r"\w", pattern)
    # Reject repeated groups and many repeats: matching a long name could take exponential time.
    skeleton = _ESCAPE_OR_SET.sub("x", body)
    repeats = len(re.findall(r"[+*]|\{\d*,", skeleton))
    if re.search(r"\)[+*{]|\[", skeleton) or repeats > 2 or skeleton.count("?") > 8:
        return None
    try:
        return re.compile(_ESCAPE_OR_SET.sub(_escape_set_operators, body) + suffix)
    except (re.error, OverflowError):
        return None


def _escape_set_operators(match: Match[str]) -> str:
    """Escape the characters in a set that Python reserves for future set operators."""
    text = match[0]
    if not text.startswith("["):
        return text
    inner = re.sub(r"\\.|[\[&~|]", lambda part: part[0] if len(part[0]) > 1 else f"\\{part[0]}", text[1:-1])
    return "[" + inner.replace("--", r"-\-") + "]"
