"""The methods ``list``, ``info``, ``exists`` and ``remove``, which all clients have.

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
    """Return the files of a download link; ``transfers.list()`` returns the user's transfers.

    :param target: token of the link, or the link.
    :raises NotFound: the token is invalid or expired.

    Source: FileSender protocol, section 8.1.
    """
    return self._api.list_download_files(self._extract_token(target))


@hide_arguments("source")
def info(self: "ClientProtocol", source: str) -> "DownloadFile":
    """Return the name, size and encryption of a file that can be downloaded.

    :param source: ``"TOKEN/NAME"``; for a transfer of one file also its token or download link.
    :raises NotFound: the token is invalid or expired, or the file does not exist.

    Source: FileSender protocol, section 8.1.
    """
    from smartxfer.filesender.site_address import split_source

    link, name = split_source(source)
    return select_single_file(list_files(self, link), name)


@hide_arguments("source")
def exists(self: "ClientProtocol", source: str) -> bool:
    """Return True if a file can be downloaded.

    :param source: as for :meth:`info`.
    """
    try:
        info(self, source)
    except NotFound:
        return False
    return True


def remove(self: "ClientProtocol", target: "Union[int, Transfer]") -> None:
    """Delete a transfer and its data; succeed if it does not exist.

    :param target: the Transfer, or its id.

    Source: FileSender protocol, section 6.5.
    """
    self.transfers.delete(target)


# -- aliases of methods of namespaces -------------------------------------------------------------------


def update_transfer(
    self: "ClientProtocol", transfer_id: "TransferId", body: "TransferUpdate", *, extra: "Extra" = None
) -> "Transfer":
    """Call ``transfers.update()``."""
    return self.transfers.update(transfer_id, body, extra=extra)


def create_guest(self: "ClientProtocol", body: "GuestRequest", *, extra: "Extra" = None) -> "Guest":
    """Call ``guests.create()``."""
    return self.guests.create(body, extra=extra)
