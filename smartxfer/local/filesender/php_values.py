"""Conversion of JSON values as in PHP: text, integers, times, options of a transfer.

Source: FileSender protocol, section 6.1.
"""

import re
from typing import Any, Dict, Optional

from smartxfer.local.filesender.errors import ApiError, PhpFatal

#: Options that a sender may set; others are ignored.
_SETTABLE = (
    "email_me_copies", "email_me_on_expire", "email_upload_complete", "email_download_complete",
    "email_daily_statistics", "email_report_on_closing", "enable_recipient_email_download_complete",
    "add_me_to_recipients", "get_a_link", "must_be_logged_in_to_download", "hide_sender_email",
    "popup_on_complete", "verify_email_to_download", "web_notification_when_upload_is_complete", "encryption",
)  # fmt: skip


def to_text(value: Any) -> Optional[str]:
    """Return a string or number as text; None for anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def to_int(value: Any, default: int) -> int:
    """Return an integer, also of text or a float without fraction; else ``default``."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value, re.ASCII):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return default


def parse_expiry(value: Any, now: float, default_days: int, most_days: int) -> int:
    """Return an expiry time in seconds since 1970; times in the past are accepted.

    :param value: seconds; anything else, such as a date as text, gives the default.
    :param now: the server's clock.
    :param default_days: default in days from now.
    :param most_days: days from now that the site allows.
    :raises ApiError: ``bad_expire``: negative, or later than the site allows.
    """
    if value is None or (isinstance(value, str) and not re.fullmatch(r"-?\d{1,19}", value, re.ASCII)):
        return int(now) + default_days * 86400
    moment = to_int(value, -1)
    if moment < 0 or moment > int(now) + most_days * 86400:
        raise ApiError("bad_expire")
    return moment


def transfer_options(value: Any) -> Dict[str, Any]:
    """Return the options of a user's transfer, in the order of the server.

    :param value: an object of values, or a list of names, which can only switch on.
    :return: ``get_a_link`` is true unless it was switched off.
    :raises PhpFatal: ``value`` is neither.
    """
    flags = _flag_given(value)
    options: Dict[str, Any] = {"get_a_link": flags.pop("get_a_link", True)}
    if not options["get_a_link"]:
        options["add_me_to_recipients"] = flags.get("add_me_to_recipients", False)
    flags.pop("add_me_to_recipients", None)
    options["email_recipient_when_transfer_expires"] = True
    options["hide_sender_email"] = flags.pop("hide_sender_email", False)
    options.update(flags)
    return options


def guest_transfer_options(value: Any, only_to_inviter: bool) -> Dict[str, Any]:
    """Return the options of a voucher for the guest's transfers.

    :param value: an object of booleans.
    :param only_to_inviter: ``can_only_send_to_me``, which forces ``get_a_link`` off.
    """
    options = _flag_given(value)
    options.setdefault("add_me_to_recipients", False)
    if only_to_inviter:
        options["get_a_link"] = False
    return options


def _flag_given(options: Any) -> Dict[str, Any]:
    if isinstance(options, list):
        options = {name: True for name in options if isinstance(name, str)}
    if not isinstance(options, dict):
        raise PhpFatal
    return {name: flag(value) for name, value in options.items() if name in _SETTABLE}


def flag(value: Any) -> bool:
    """Return a boolean as PHP converts it: words such as "no" are false."""
    return value not in ("false", "0", "off", "no") and bool(value)
