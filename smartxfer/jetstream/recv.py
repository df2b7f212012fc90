"""``api.recv``: the receiving side; for superusers.

Source: JetStream protocol, section 5.3.
"""

import functools
from typing import Any, Mapping

from smartxfer.errors import UsageError
from smartxfer.jetstream.interface import Interface, text_of
from smartxfer.jetstream.models import ReceiveTransfer, Source, several
from smartxfer.jetstream.requests import Request

__all__ = ["RecvInterface"]

_KEYS = ("clientPublicKey", "destinationPublicKey", "publicKey")


class RecvInterface(Interface):
    """Commands to the receiving side of a server."""

    _prefix = "recv."

    def addAuthorizedClientAsync(self, clientPublicKey: Any) -> Request:
        """Trust a sending server.

        :param clientPublicKey: its public key, or a structure that holds it.
        """
        return self._begin("addAuthorizedClientAsync", clientPublicKey=_key(clientPublicKey))

    def removeAuthorizedClientAsync(self, clientPublicKey: Any) -> Request:
        """Trust a sending server no more."""
        return self._begin("removeAuthorizedClientAsync", clientPublicKey=_key(clientPublicKey))

    def allowOnlyAuthorizedClientsAsync(self, onlyAuthorizedClientsAllowed: bool) -> Request:
        """Say whether only trusted servers may send."""
        return self._begin(
            "allowOnlyAuthorizedClientsAsync", onlyAuthorizedClientsAllowed=bool(onlyAuthorizedClientsAllowed)
        )

    def getSourcesAsync(self) -> Request:
        """Ask for the servers that send.

        The result is a list of :class:`~smartxfer.jetstream.models.Source`.
        """
        return self._begin("getSourcesAsync", functools.partial(several, Source))

    def getTransfersAsync(self) -> Request:
        """Ask for the transfers that come in.

        The result is a list of :class:`~smartxfer.jetstream.models.ReceiveTransfer`.
        """
        return self._begin("getTransfersAsync", functools.partial(several, ReceiveTransfer))


def _key(value: Any) -> str:
    if isinstance(value, Mapping):
        held = [value[name] for name in _KEYS if value.get(name)]
        if not held:
            raise UsageError(f"{type(value).__name__} has no public key")
        value = held[0]
    return text_of(value, "clientPublicKey")
