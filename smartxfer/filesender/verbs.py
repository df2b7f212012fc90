"""The verbs that all clients share, as methods: ``list``, ``info``, ``exists``, ``remove``.

Source: FileSender protocol, sections 7 and 8.1.
"""

from typing import TYPE_CHECKING, List, Union

from smartxfer.errors import NotFound
from smartxfer.filesender.download_verbs import select_single_file
from smartxfer.secret_text import hide_arguments

if TYPE_CHECKING:
    from smartxfer.filesender.client_protocol import ClientProtocol
    from smartxfer.filesender.ids import TransferId
    from smartxfer.filesender.models import DownloadFile, Guest, Transfer
    from smartxfer.filesender.request_body import Extra
    from smartxfer.filesender.request_types import Guest as GuestRequest
    from smartxfer.filesender.request_types import TransferUpdate

__all__ = ["create_guest", "exists", "info", "list_files", "remove", "update_transfer"]


@hide_arguments("target")
def list_files(self: "ClientProtocol", target: str) -> "List[DownloadFile]":
    """The files that a download link leads to; ``transfers.list()`` has one's own transfers.

    :param target: token of the link, or the whole link.
    :raises NotFound: the token is wrong or expired.

    Source: FileSender protocol, section 8.1.
    """
    return self._api.list_download_files(self._extract_token(target))


@hide_arguments("source")
def info(self: "ClientProtocol", source: str) -> "DownloadFile":
    """Return what the site knows of a file that can be fetched.

    :param source: ``"TOKEN/NAME"``; of a transfer of one file its token or the whole download link.
    :raises NotFound: the token is wrong or expired, or there is no such file.

    Source: FileSender protocol, section 8.1.
    """
    from smartxfer.filesender.site_address import split_source

    link, name = split_source(source)
    return select_single_file(list_files(self, link), name)


@hide_arguments("source")
def exists(self: "ClientProtocol", source: str) -> bool:
    """Return True if a file can be fetched.

    :param source: as for :meth:`info`.
    """
    try:
        info(self, source)
    except NotFound:
        return False
    return True


def remove(self: "ClientProtocol", target: "Union[int, Transfer]") -> None:
    """Remove a transfer and its data; one that is gone already is no error.

    :param target: the Transfer, or its id.

    Source: FileSender protocol, section 6.5.
    """
    self.transfers.delete(target)


# -- shorter names of methods of a namespace ------------------------------------------------------------


def update_transfer(
    self: "ClientProtocol", transfer_id: "TransferId", body: "TransferUpdate", *, extra: "Extra" = None
) -> "Transfer":
    """Change a transfer: ``transfers.update()``."""
    return self.transfers.update(transfer_id, body, extra=extra)


def create_guest(self: "ClientProtocol", body: "GuestRequest", *, extra: "Extra" = None) -> "Guest":
    """Send a voucher: ``guests.create()``."""
    return self.guests.create(body, extra=extra)
