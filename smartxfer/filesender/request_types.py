"""TypedDicts for the request bodies that callers pass.

Source: FileSender protocol, sections 6.1, 6.3, 6.4, 7 and 10.
"""

from typing import List, TypedDict, Union

__all__ = [
    "File",
    "FileUpdate",
    "Guest",
    "GuestAllOptions",
    "GuestOptions",
    "PartialTransfer",
    "Transfer",
    "TransferOptions",
    "TransferUpdate",
]


class _RequiredFileKeys(TypedDict):
    name: str
    size: int


class File(_RequiredFileKeys, total=False):
    """A file of a transfer to create; ``size`` in bytes."""

    mime_type: str
    cid: str
    iv: str
    aead: str


class TransferOptions(TypedDict, total=False):
    """Options of a transfer; the site's configuration decides which are in effect."""

    email_me_copies: bool
    email_me_on_expire: bool
    email_upload_complete: bool
    email_download_complete: bool
    email_daily_statistics: bool
    email_report_on_closing: bool
    enable_recipient_email_download_complete: bool
    add_me_to_recipients: bool
    email_recipient_when_transfer_expires: bool
    get_a_link: bool
    hide_sender_email: bool
    redirect_url_on_complete: str
    encryption: bool
    collection: bool
    must_be_logged_in_to_download: bool
    storage_cloud_s3_bucket: str
    web_notification_when_upload_is_complete: bool
    verify_email_to_download: bool
    popup_on_complete: bool
    forward_to_another_server: bool
    forward_server_name: str


PartialTransfer = TypedDict(
    "PartialTransfer",
    {
        "from": str,
        "recipients": List[str],
        "subject": str,
        "message": str,
        "expires": Union[int, str],
        "options": Union[TransferOptions, List[str]],
    },
    total=False,
)
"""Fields of a transfer that are passed to an upload.

``expires`` is in seconds since the epoch, or ``"YYYY-MM-DD"`` for the start of that day (UTC).
"""


class _OptionalTransferKeys(PartialTransfer, total=False):
    aup_checked: bool
    encryption: bool
    encryption_key_version: int
    encryption_password_encoding: str
    encryption_password_version: int
    encryption_password_hash_iterations: int
    encryption_client_entropy: str


class Transfer(_OptionalTransferKeys):
    """A transfer to create."""

    files: List[File]


class TransferUpdate(TypedDict, total=False):
    """Fields of a transfer that can be changed."""

    complete: bool
    closed: bool
    extend_expiry_date: Union[bool, int]
    remind: bool
    decryptfailed: bool


class FileUpdate(TypedDict, total=False):
    """Fields of a file that can be changed."""

    complete: bool


class GuestOptions(TypedDict, total=False):
    """Permissions of a guest, and notifications about the guest; the site may ignore the last three."""

    valid_only_one_time: bool
    can_only_send_to_me: bool
    does_not_expire: bool
    email_upload_started: bool
    email_upload_page_access: bool
    email_guest_created: bool
    email_guest_created_receipt: bool
    email_guest_expired: bool


class GuestAllOptions(TypedDict, total=False):
    """Options of the voucher, and of the transfers created with it."""

    guest: GuestOptions
    transfer: TransferOptions


_InvitedGuest = TypedDict("_InvitedGuest", {"from": str, "recipient": str})


class Guest(_InvitedGuest, total=False):
    """A voucher to create.

    Unless ``options`` has ``{"transfer": {"get_a_link": False}}``, the guest's transfers become links and
    cannot have recipients.
    """

    subject: str
    message: str
    options: GuestAllOptions
    expires: Union[int, str]
