"""``client.guests``: vouchers, which invite guests to send files.

Source: FileSender protocol, sections 7 and 10.
"""

from typing import Callable, List

from smartxfer.filesender import validation
from smartxfer.filesender.ids import GuestId, get_id
from smartxfer.filesender.models import Guest, Transfer
from smartxfer.filesender.request_body import Extra, build_guest_body
from smartxfer.filesender.request_types import Guest as GuestRequest
from smartxfer.filesender.rest_api import FileSenderApi, parse_object
from smartxfer.reprs import Namespace

__all__ = ["GuestsClient"]


class GuestsClient(Namespace):
    """Methods for vouchers: create, list, remind, extend, delete.

    Methods that take a guest accept a Guest or its id.

    :param get_api: returns the API of a user with credentials.
    """

    def __init__(self, get_api: Callable[[], FileSenderApi]) -> None:
        self._get_api = get_api

    def create(self, body: GuestRequest, *, extra: Extra = None) -> Guest:
        """Send a voucher, which invites its recipient to send files.

        Unless ``options`` has ``{"transfer": {"get_a_link": False}}``, the guest's transfer becomes a link
        and cannot have recipients.

        :param body: ``recipient``, ``from``, ``subject``, ``message``, ``options``, ``expires``.
        :param extra: request fields that this version does not support.
        :raises UsageError: ``body`` has an unknown key or option, or an invalid address; nothing was sent.
        :raises OutcomeUnknown: the response was lost: the voucher may have been sent.
        """
        request_body = build_guest_body(body, extra)
        validation.validate_guest(request_body)
        return self._get_api().create_guest(request_body)

    def list(self) -> List[Guest]:
        """Return the user's vouchers."""
        return self._get_api().send_signed("GET", "guest").parse_models(Guest)

    def get(self, guest_id: GuestId) -> Guest:
        """Return one of the user's vouchers."""
        return parse_object(
            self._get_api().send_signed("GET", f"guest/{get_id(guest_id)}"), Guest, get_id(guest_id)
        )

    def transfers(self, guest_id: GuestId) -> List[Transfer]:
        """Return the available transfers that were created with a voucher."""
        body = self._get_api().send_signed("GET", f"guest/{get_id(guest_id)}/transfers").json((dict, list))
        transfers = body.values() if isinstance(body, dict) else body
        return [Transfer.from_wire(transfer) for transfer in transfers]

    def remind(self, guest_id: GuestId) -> None:
        """Send a voucher's mail again.

        :raises OutcomeUnknown: the response was lost: the mail may have been sent.
        """
        self._get_api().send_command("PUT", f"guest/{get_id(guest_id)}", {"remind": True}, idempotent=False)

    def extend(self, guest_id: GuestId) -> Guest:
        """Extend the validity of a voucher by the number of days that the site is configured for.

        :raises Forbidden: the site allows it only to administrators.
        :raises LimitExceeded: the voucher cannot be extended any more.
        """
        path = f"guest/{get_id(guest_id)}"
        self._get_api().send_signed("PUT", path, {"extend_expiry_date": True}, idempotent=False)
        return self.get(guest_id)

    def delete(self, guest_id: GuestId) -> None:
        """Delete a voucher, which makes its link invalid."""
        self._get_api().delete(f"guest/{get_id(guest_id)}")
