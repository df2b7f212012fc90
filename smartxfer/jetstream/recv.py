"""``api.recv``: the receiving side; for superusers.

Source: JetStream protocol, section 5.3.
"""

import functools
from typing import Any, Mapping

from smartxfer.errors import UsageError
from smartxfer.jetstream.async_requests import Request
from smartxfer.jetstream.interface import Interface, require_text
from smartxfer.jetstream.models import ReceiveTransfer, Source, parse_models

__all__ = ["RecvInterface"]

_PUBLIC_KEY_FIELDS = ("clientPublicKey", "destinationPublicKey", "publicKey")


class RecvInterface(Interface):
    """Commands to the receiving side of a server."""

    _prefix = "recv."

    def addAuthorizedClientAsync(self, clientPublicKey: Any) -> Request:
        """Trust a sending server.

        :param clientPublicKey: its public key, or a structure that holds it.
        """
        return self._start_request(
            "addAuthorizedClientAsync", clientPublicKey=_extract_public_key(clientPublicKey)
        )

    def removeAuthorizedClientAsync(self, clientPublicKey: Any) -> Request:
        """Trust a sending server no more."""
        return self._start_request(
            "removeAuthorizedClientAsync", clientPublicKey=_extract_public_key(clientPublicKey)
        )

    def allowOnlyAuthorizedClientsAsync(self, onlyAuthorizedClientsAllowed: bool) -> Request:
        """Say whether only trusted servers may send."""
        return self._start_request(
            "allowOnlyAuthorizedClientsAsync", onlyAuthorizedClientsAllowed=bool(onlyAuthorizedClientsAllowed)
        )

    def getSourcesAsync(self) -> Request:
        """Ask for the servers that send.

        The result is a list of :class:`~smartxfer.jetstream.models.Source`.
        """
        return self._start_request("getSourcesAsync", functools.partial(parse_models, Source))

    def getTransfersAsync(self) -> Request:
        """Ask for the transfers that come in.

        The result is a list of :class:`~smartxfer.jetstream.models.ReceiveTransfer`.
        """
        return self._start_request("getTransfersAsync", functools.partial(parse_models, ReceiveTransfer))


def _extract_public_key(value: Any) -> str:
    if isinstance(value, Mapping):
        held = [value[name] for name in _PUBLIC_KEY_FIELDS if value.get(name)]
        if not held:
            raise UsageError(
                f"{type(value).__name__} has no public key",
                hint="pass the public key as text, or an object that has one",
            )
        value = held[0]
    return require_text(value, "clientPublicKey")
