"""What can be found wrong before anything is created.

A site that refuses a transfer half-way leaves an orphan that nobody can remove, so that names, sizes, counts
and addresses are checked here first.

Source: FileSender protocol, sections 2.1, 4, 6.1, 10, 12 and 15.
"""

import datetime as dt
import re
from typing import Any, Iterable, List, Mapping, Match, Optional, Pattern

from smartxfer.errors import UsageError
from smartxfer.filesender.email_addresses import validate_email_address
from smartxfer.filesender.site_address import SiteConfig

__all__ = ["filename_pattern", "validate_guest", "validate_name", "validate_transfer"]

#: The stock rule: letters and digits of any script, and these.
_DEFAULT_FILENAME_PATTERN = re.compile(r"\A[\w .,;:!@#$%^&*)(\][/-]+\Z")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MAX_NAME_LENGTH = 255
_DAY_SECONDS = 24 * 3600
#: Names that one message lists.
_MAX_LISTED = 100
#: A site's pattern longer than this is not run here; the site itself is the judge.
_MAX_PATTERN_LENGTH = 300
_ESCAPE_OR_SET = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]")


def validate_transfer(body: Mapping[str, Any], config: SiteConfig, now: float) -> None:
    """Check the body of ``POST /transfer`` against the site's limits.

    :param now: seconds since the epoch.
    :raises UsageError: what is wrong, and its remedy; of names and sizes, every one that is wrong.
    """
    files = body["files"]
    if not files:
        raise UsageError("the transfer has no files", hint="pass at least one file")
    _validate_counts(files, body["recipients"], config, bool(body.get("encryption")))
    _validate_names([file["name"] for file in files], config)
    for address in body["recipients"]:
        validate_email_address(address, "recipient")
    if "from" in body:
        validate_email_address(body["from"], "'from'")
    _validate_expiry(body.get("expires"), config, now)
    if config.encryption_mandatory and not body.get("encryption"):
        raise UsageError("the site takes encrypted transfers only", hint="give password=")


def validate_guest(body: Mapping[str, Any]) -> None:
    """Check the body of ``POST /guest``.

    :raises UsageError: an address is missing or malformed.
    """
    validate_email_address(body.get("recipient", ""), "recipient")
    validate_email_address(body.get("from", ""), "'from'")


def _validate_counts(files: List[Any], recipients: List[Any], config: SiteConfig, encrypted: bool) -> None:
    total = sum(file["size"] for file in files)
    for what, value, limit in (
        (f"{len(files)} files", len(files), config.max_transfer_files),
        (f"{len(recipients)} recipients", len(recipients), config.max_transfer_recipients),
        (f"{total} bytes in all", total, config.max_transfer_size),
    ):
        if limit and value > limit:
            raise UsageError(
                f"too many: {what}; the site allows {limit} per transfer",
                hint=f"send at most {limit} per transfer, or put the files into one archive",
            )
    most = config.max_transfer_encrypted_file_size if encrypted else config.max_transfer_file_size
    large = [f"{file['name']!r} of {file['size']} bytes" for file in files if most and file["size"] > most]
    if large:
        raise UsageError(
            f"too large: {_join_limited(large)}; the site allows {most} bytes per file",
            hint=f"split the file into parts of at most {most} bytes, or ask the administrator of the site",
        )


def _validate_names(names: Iterable[str], config: SiteConfig) -> None:
    """Check all names, so that one message lists every bad one.

    :raises UsageError: there are such.
    """
    rule = filename_pattern(config.valid_filename_regex)
    bad = []
    for name in names:
        try:
            validate_name(name, config, rule)
        except UsageError as error:
            bad.append(error)
    if len(bad) == 1:
        raise bad[0]
    if bad:
        raise UsageError(
            f"{len(bad)} names cannot be sent: {_join_limited(error.summary for error in bad)}",
            hint="send each as (other_name, path)",
        )


def _join_limited(texts: Iterable[str]) -> str:
    found = list(texts)
    more = [f"and {len(found) - _MAX_LISTED} more"] if len(found) > _MAX_LISTED else []
    return "; ".join(found[:_MAX_LISTED] + more)


def validate_name(name: str, config: SiteConfig, pattern: Optional[Pattern[str]]) -> None:
    """Check one file's name, folders included.

    :param pattern: of the site, which the whole name must match.
    :raises UsageError: the site would refuse the name, or it leads out of its folder.
    """
    if "" in name.split("/"):
        raise UsageError(
            f"the name {name!r} cannot be sent: it is absolute, or a part of it is empty",
            hint="send it under another name: (other_name, path)",
        )
    if not name.isprintable() and _CONTROL_CHARACTER.search(name):
        raise UsageError(
            f"the name {name!r} cannot be sent: it holds control characters",
            hint="send it under another name: (other_name, path)",
        )
    if len(name) > _MAX_NAME_LENGTH:
        raise UsageError(
            f"the name {name[:40]!r}... is over {_MAX_NAME_LENGTH} characters", hint="shorten it"
        )
    if ".." in name.split("/"):
        raise UsageError(
            f"the name {name!r} leads out of its folder",
            hint="send it under another name: (other_name, path)",
        )
    if pattern is not None and not pattern.search(name):
        wrong = sorted({character for character in name if not pattern.search(character)})
        raise UsageError(
            f"the site does not take the name {name!r}" + (f": not {' '.join(wrong)}" if wrong else ""),
            hint="send it as (other_name, path)",
        )
    _validate_extension(name, config)


def _validate_extension(name: str, config: SiteConfig) -> None:
    """Check the extension of a name; banned ones are compared as they are written (section 15)."""
    base = name.rsplit("/", 1)[-1]
    if "." not in base:
        return
    extension = base.rsplit(".", 1)[-1]
    banned = [part.strip() for part in (config.ban_extension or "").split(",") if part.strip()]
    allowed = _compile_pattern(config.extension_whitelist_regex)
    if extension in banned or (allowed is not None and not allowed.search(extension)):
        raise UsageError(
            f"the site does not take files with the extension {extension!r} ({name!r})",
            hint="send it in an archive, or under another name: (other_name, path)",
        )


def _validate_expiry(expires: Any, config: SiteConfig, now: float) -> None:
    if expires is None:
        return
    slack = 0
    if isinstance(expires, str) and not expires.isdigit():
        slack = _DAY_SECONDS  # the site's day may begin at another time
        try:
            day = dt.datetime.strptime(expires, "%Y-%m-%d").replace(tzinfo=dt.timezone.utc)
        except ValueError:
            raise UsageError(
                f"expires {expires!r} is neither seconds since the epoch nor YYYY-MM-DD",
                hint="pass {'expires': '2030-12-31'}",
            ) from None
        expires = day.timestamp()
    if not isinstance(expires, (int, float, str)):
        raise UsageError(
            f"expires is seconds since the epoch, not a {type(expires).__name__}",
            hint="pass {'expires': '2030-12-31'}",
        )
    left = float(expires) - now
    if left <= 0:
        raise UsageError("expires lies in the past", hint="give seconds since the epoch")
    days = config.max_transfer_days_valid
    if days and left > days * _DAY_SECONDS + slack:
        raise UsageError(
            f"expires lies further ahead than the {days} days that the site allows",
            hint="pass an earlier date as expires",
        )


def filename_pattern(pattern: Optional[str]) -> Optional[Pattern[str]]:
    """The site's rule for names as a Python pattern; the stock rule where it says none.

    The published rule lacks its end, which the server adds: the whole name has to match (section 15).
    None when its pattern is not one that can be run here: the site itself is the judge then.
    """
    return _DEFAULT_FILENAME_PATTERN if not pattern else _compile_pattern(pattern, suffix=r"\Z")


def _compile_pattern(pattern: Optional[str], suffix: str = "") -> Optional[Pattern[str]]:
    if not pattern or len(pattern) > _MAX_PATTERN_LENGTH:
        return None
    body = re.sub(r"\\p\{(?:L|Letter|N|Nd)\}|\\p(?:L|N)", lambda _: r"\w", pattern)
    # A repeated group, or many repeats in a row, can take for ever on a long name.
    bare = _ESCAPE_OR_SET.sub("x", body)
    repeats = len(re.findall(r"[+*]|\{\d*,", bare))
    if re.search(r"\)[+*{]|\[", bare) or repeats > 2 or bare.count("?") > 8:
        return None
    try:
        return re.compile(_ESCAPE_OR_SET.sub(_escape_set_operators, body) + suffix)
    except (re.error, OverflowError):
        return None


def _escape_set_operators(match: Match[str]) -> str:
    """A set of characters without what Python announces as operators of sets to come."""
    text = match[0]
    if not text.startswith("["):
        return text
    inner = re.sub(r"\\.|[\[&~|]", lambda part: part[0] if len(part[0]) > 1 else f"\\{part[0]}", text[1:-1])
    return "[" + inner.replace("--", r"-\-") + "]"
