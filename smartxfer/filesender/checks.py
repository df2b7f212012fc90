"""What can be found wrong before anything is created.

A site that refuses a transfer half-way leaves an orphan that nobody can remove, so that names, sizes, counts
and addresses are checked here first.

Source: FileSender protocol, sections 2.1, 4, 6.1, 10, 12 and 15.
"""

import datetime as dt
import re
from typing import Any, Iterable, List, Mapping, Match, Optional, Pattern

from smartxfer.errors import UsageError
from smartxfer.filesender.addresses import check_address
from smartxfer.filesender.site import SiteConfig

__all__ = ["check_guest", "check_name", "check_transfer", "name_rule"]

#: The stock rule: letters and digits of any script, and these.
_STOCK_RULE = re.compile(r"\A[\w .,;:!@#$%^&*)(\][/-]+\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LONGEST_NAME = 255
_DAY = 24 * 3600
#: Names that one message lists.
_MOST_LISTED = 100
#: A site's pattern longer than this is not run here; the site itself is the judge.
_LONGEST_RULE = 300
_ESCAPE_OR_SET = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]")


def check_transfer(body: Mapping[str, Any], config: SiteConfig, now: float) -> None:
    """Check the body of ``POST /transfer`` against the site's limits.

    :param now: seconds since the epoch.
    :raises UsageError: what is wrong, and its remedy; of names and sizes, every one that is wrong.
    """
    files = body["files"]
    if not files:
        raise UsageError("there is no file to send")
    _check_counts(files, body["recipients"], config, bool(body.get("encryption")))
    _check_names([file["name"] for file in files], config)
    for address in body["recipients"]:
        check_address(address, "recipient")
    if "from" in body:
        check_address(body["from"], "'from'")
    _check_expiry(body.get("expires"), config, now)
    if config.encryption_mandatory and not body.get("encryption"):
        raise UsageError("the site takes encrypted transfers only", hint="give password=")


def check_guest(body: Mapping[str, Any]) -> None:
    """Check the body of ``POST /guest``.

    :raises UsageError: an address is missing or malformed.
    """
    check_address(body.get("recipient", ""), "recipient")
    check_address(body.get("from", ""), "'from'")


def _check_counts(files: List[Any], recipients: List[Any], config: SiteConfig, encrypted: bool) -> None:
    total = sum(file["size"] for file in files)
    for what, value, limit in (
        (f"{len(files)} files", len(files), config.max_transfer_files),
        (f"{len(recipients)} recipients", len(recipients), config.max_transfer_recipients),
        (f"{total} bytes in all", total, config.max_transfer_size),
    ):
        if limit and value > limit:
            raise UsageError(f"{what} are too much: the site takes {limit}", hint="send less at once")
    most = config.max_transfer_encrypted_file_size if encrypted else config.max_transfer_file_size
    large = [f"{file['name']!r} of {file['size']} bytes" for file in files if most and file["size"] > most]
    if large:
        raise UsageError(f"too large: {_listed(large)}: the site takes {most} bytes a file")


def _check_names(names: Iterable[str], config: SiteConfig) -> None:
    """Check all names, so that one message lists every bad one.

    :raises UsageError: there are such.
    """
    rule = name_rule(config.valid_filename_regex)
    bad = []
    for name in names:
        try:
            check_name(name, config, rule)
        except UsageError as error:
            bad.append(error)
    if len(bad) == 1:
        raise bad[0]
    if bad:
        raise UsageError(
            f"{len(bad)} names cannot be sent: {_listed(error.summary for error in bad)}",
            hint="send each as (other_name, path)",
        )


def _listed(texts: Iterable[str]) -> str:
    found = list(texts)
    more = [f"and {len(found) - _MOST_LISTED} more"] if len(found) > _MOST_LISTED else []
    return "; ".join(found[:_MOST_LISTED] + more)


def check_name(name: str, config: SiteConfig, rule: Optional[Pattern[str]]) -> None:
    """Check one file's name, folders included.

    :param rule: of the site, which the whole name must match.
    :raises UsageError: the site would refuse the name, or it leads out of its folder.
    """
    if "" in name.split("/"):
        raise UsageError(f"the name {name!r} cannot be sent: it is absolute, or a part of it is empty")
    if not name.isprintable() and _CONTROL.search(name):
        raise UsageError(f"the name {name!r} cannot be sent: it holds control characters")
    if len(name) > _LONGEST_NAME:
        raise UsageError(f"the name {name[:40]!r}... is over {_LONGEST_NAME} characters", hint="shorten it")
    if ".." in name.split("/"):
        raise UsageError(f"the name {name!r} leads out of its folder")
    if rule is not None and not rule.search(name):
        wrong = sorted({character for character in name if not rule.search(character)})
        raise UsageError(
            f"the site does not take the name {name!r}" + (f": not {' '.join(wrong)}" if wrong else ""),
            hint="send it as (other_name, path)",
        )
    _check_extension(name, config)


def _check_extension(name: str, config: SiteConfig) -> None:
    """Check the extension of a name; banned ones are compared as they are written (section 15)."""
    base = name.rsplit("/", 1)[-1]
    if "." not in base:
        return
    extension = base.rsplit(".", 1)[-1]
    banned = [part.strip() for part in (config.ban_extension or "").split(",") if part.strip()]
    allowed = _compiled(config.extension_whitelist_regex)
    if extension in banned or (allowed is not None and not allowed.search(extension)):
        raise UsageError(
            f"the site does not take files with the extension {extension!r} ({name!r})",
            hint="rename or pack it",
        )


def _check_expiry(expires: Any, config: SiteConfig, now: float) -> None:
    if expires is None:
        return
    slack = 0
    if isinstance(expires, str) and not expires.isdigit():
        slack = _DAY  # the site's day may begin at another time
        try:
            day = dt.datetime.strptime(expires, "%Y-%m-%d").replace(tzinfo=dt.timezone.utc)
        except ValueError:
            raise UsageError(
                f"expires {expires!r} is neither seconds since the epoch nor YYYY-MM-DD"
            ) from None
        expires = day.timestamp()
    if not isinstance(expires, (int, float, str)):
        raise UsageError(f"expires is seconds since the epoch, not a {type(expires).__name__}")
    left = float(expires) - now
    if left <= 0:
        raise UsageError("expires lies in the past", hint="give seconds since the epoch")
    days = config.max_transfer_days_valid
    if days and left > days * _DAY + slack:
        raise UsageError(f"expires lies further ahead than the {days} days that the site allows")


def name_rule(pattern: Optional[str]) -> Optional[Pattern[str]]:
    """The site's rule for names as a Python pattern; the stock rule where it says none.

    The published rule lacks its end, which the server adds: the whole name has to match (section 15).
    None when its pattern is not one that can be run here: the site itself is the judge then.
    """
    return _STOCK_RULE if not pattern else _compiled(pattern, end=r"\Z")


def _compiled(pattern: Optional[str], end: str = "") -> Optional[Pattern[str]]:
    if not pattern or len(pattern) > _LONGEST_RULE:
        return None
    body = re.sub(r"\\p\{(?:L|Letter|N|Nd)\}|\\p(?:L|N)", lambda _: r"\w", pattern)
    # A repeated group, or many repeats in a row, can take for ever on a long name.
    bare = _ESCAPE_OR_SET.sub("x", body)
    repeats = len(re.findall(r"[+*]|\{\d*,", bare))
    if re.search(r"\)[+*{]|\[", bare) or repeats > 2 or bare.count("?") > 8:
        return None
    try:
        return re.compile(_ESCAPE_OR_SET.sub(_plain_set, body) + end)
    except (re.error, OverflowError):
        return None


def _plain_set(found: Match[str]) -> str:
    """A set of characters without what Python announces as operators of sets to come."""
    text = found[0]
    if not text.startswith("["):
        return text
    inner = re.sub(r"\\.|[\[&~|]", lambda part: part[0] if len(part[0]) > 1 else f"\\{part[0]}", text[1:-1])
    return "[" + inner.replace("--", r"-\-") + "]"
