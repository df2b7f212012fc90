"""Values of a JSON body as PHP takes them: text, whole numbers, moments, options of a transfer.

Source: FileSender protocol, section 6.1.
"""

import re
from typing import Any, Dict, Optional

from smartxfer.local.filesender.refusals import ApiError, Fatal

#: Options that a sender may set; others are dropped without a word.
_SETTABLE = (
    "email_me_copies", "email_me_on_expire", "email_upload_complete", "email_download_complete",
    "email_daily_statistics", "email_report_on_closing", "enable_recipient_email_download_complete",
    "add_me_to_recipients", "get_a_link", "must_be_logged_in_to_download", "hide_sender_email",
    "popup_on_complete", "verify_email_to_download", "web_notification_when_upload_is_complete", "encryption",
)  # fmt: skip


def text(given: Any) -> Optional[str]:
    """Return a text, also of a number; None for anything else."""
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return str(given)
    return given if isinstance(given, str) else None


def whole(given: Any, default: int) -> int:
    """A whole number, also one written as text or with a zero fraction; else ``default``."""
    if isinstance(given, int):
        return int(given)
    if isinstance(given, str) and re.fullmatch(r"-?\d{1,19}", given, re.ASCII):
        return int(given)
    if isinstance(given, float) and given.is_integer():
        return int(given)
    return default


def expiry(given: Any, now: float, default_days: int, most_days: int) -> int:
    """Return when something expires, in seconds since 1970; a moment in the past is taken as it is.

    :param given: seconds; anything else, such as a date as text, gives the default.
    :param now: the server's clock.
    :param default_days: days from now where nothing is given.
    :param most_days: days from now that the site allows.
    :raises ApiError: ``bad_expire``: negative, or later than the site allows.
    """
    if given is None or (isinstance(given, str) and not re.fullmatch(r"-?\d{1,19}", given, re.ASCII)):
        return int(now) + default_days * 86400
    moment = whole(given, -1)
    if moment < 0 or moment > int(now) + most_days * 86400:
        raise ApiError("bad_expire")
    return moment


def transfer_options(given: Any) -> Dict[str, Any]:
    """Options of a user's transfer, in the order in which the server shows them.

    :param given: an object of values, or a list of names, which can only switch on.
    :return: ``get_a_link`` is true unless it was switched off.
    :raises Fatal: ``given`` is neither.
    """
    asked = _asked(given)
    options: Dict[str, Any] = {"get_a_link": asked.pop("get_a_link", True)}
    if not options["get_a_link"]:
        options["add_me_to_recipients"] = asked.get("add_me_to_recipients", False)
    asked.pop("add_me_to_recipients", None)
    options["email_recipient_when_transfer_expires"] = True
    options["hide_sender_email"] = asked.pop("hide_sender_email", False)
    options.update(asked)
    return options


def guest_transfer_options(given: Any, only_to_inviter: bool) -> Dict[str, Any]:
    """Options that a voucher lays down for the guest's transfers.

    :param given: an object of booleans.
    :param only_to_inviter: ``can_only_send_to_me``, which forces ``get_a_link`` off.
    """
    options = _asked(given)
    options.setdefault("add_me_to_recipients", False)
    if only_to_inviter:
        options["get_a_link"] = False
    return options


def _asked(given: Any) -> Dict[str, Any]:
    if isinstance(given, list):
        given = {name: True for name in given if isinstance(name, str)}
    if not isinstance(given, dict):
        raise Fatal
    return {name: flag(value) for name, value in given.items() if name in _SETTABLE}


def flag(value: Any) -> bool:
    """A switch as PHP takes it: a word for no is no."""
    return value not in ("false", "0", "off", "no") and bool(value)
