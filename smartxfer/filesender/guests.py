"""``client.guests``: vouchers, which invite somebody to send files.

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
    """Invites guests, and lists, reminds and removes them.

    Wherever a guest is wanted, its structure or its id is accepted.

    :param get_api: returns the calls of a user whose credentials are known.
    """

    def __init__(self, get_api: Callable[[], FileSenderApi]) -> None:
        self._get_api = get_api

    def create(self, body: GuestRequest, *, extra: Extra = None) -> Guest:
        """Send a voucher, which invites somebody to send files.

        Unless ``options`` has ``{"transfer": {"get_a_link": False}}`` the guest's files become a link, and
        the guest cannot name recipients.

        :param body: ``recipient``, ``from``, ``subject``, ``message``, ``options``, ``expires``.
        :param extra: fields of the request that this version does not know.
        :raises UsageError: ``body`` has an unknown key or option, or a malformed address; nothing was sent.
        :raises OutcomeUnknown: the answer was lost: the voucher may have been sent.
        """
        made = build_guest_body(body, extra)
        validation.validate_guest(made)
        return self._get_api().create_guest(made)

    def list(self) -> List[Guest]:
        """Return the user's vouchers."""
        return self._get_api().send_signed("GET", "guest").parse_models(Guest)

    def get(self, guest_id: GuestId) -> Guest:
        """Return one of the user's vouchers."""
        return parse_object(
            self._get_api().send_signed("GET", f"guest/{get_id(guest_id)}"), Guest, get_id(guest_id)
        )

    def transfers(self, guest_id: GuestId) -> List[Transfer]:
        """Return the available transfers that were made with a voucher."""
        found = self._get_api().send_signed("GET", f"guest/{get_id(guest_id)}/transfers").json((dict, list))
        several = found.values() if isinstance(found, dict) else found
        return [Transfer.from_wire(one) for one in several]

    def remind(self, guest_id: GuestId) -> None:
        """Send a voucher's mail once more.

        :raises OutcomeUnknown: the answer was lost: it may have been sent.
        """
        self._get_api().send_command("PUT", f"guest/{get_id(guest_id)}", {"remind": True}, idempotent=False)

    def extend(self, guest_id: GuestId) -> Guest:
        """Let a voucher expire later, by as many days as the site's setting says.

        :raises Forbidden: the site leaves it to administrators.
        :raises LimitExceeded: the site does not allow it any more.
        """
        path = f"guest/{get_id(guest_id)}"
        self._get_api().send_signed("PUT", path, {"extend_expiry_date": True}, idempotent=False)
        return self.get(guest_id)

    def delete(self, guest_id: GuestId) -> None:
        """Withdraw a voucher."""
        self._get_api().delete(f"guest/{get_id(guest_id)}")
