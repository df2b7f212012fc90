"""Options of a transfer: what a sender may set and what the server fills in.

Source: FileSender protocol, section 6.1.
"""

from typing import Any, Dict

from smartxfer.local.filesender.refusals import Fatal

__all__ = ["flag", "guest_transfer_options", "transfer_options"]

#: Options that a sender may set; others are dropped without a word.
_SETTABLE = frozenset(
    (
        "email_me_copies",
        "email_me_on_expire",
        "email_upload_complete",
        "email_download_complete",
        "email_daily_statistics",
        "email_report_on_closing",
        "enable_recipient_email_download_complete",
        "add_me_to_recipients",
        "get_a_link",
        "must_be_logged_in_to_download",
        "hide_sender_email",
        "popup_on_complete",
        "verify_email_to_download",
        "web_notification_when_upload_is_complete",
        "encryption",
    )
)


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
