"""``api.recv``: methods for receiving; for superusers.

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
    """Methods for the receiving side of a server."""

    _prefix = "recv."

    def addAuthorizedClientAsync(self, clientPublicKey: Any) -> Request:
        """Authorize a sending server.

        :param clientPublicKey: its public key, or an object with the key.
        """
        return self._start_request(
            "addAuthorizedClientAsync", clientPublicKey=_extract_public_key(clientPublicKey)
        )

    def removeAuthorizedClientAsync(self, clientPublicKey: Any) -> Request:
        """Withdraw the authorization of a sending server."""
        return self._start_request(
            "removeAuthorizedClientAsync", clientPublicKey=_extract_public_key(clientPublicKey)
        )

    def allowOnlyAuthorizedClientsAsync(self, onlyAuthorizedClientsAllowed: bool) -> Request:
        """Set whether only authorized servers may send."""
        return self._start_request(
            "allowOnlyAuthorizedClientsAsync", onlyAuthorizedClientsAllowed=bool(onlyAuthorizedClientsAllowed)
        )

    def getSourcesAsync(self) -> Request:
        """Request the servers that send files to this one.

        The result is a list of :class:`~smartxfer.jetstream.models.Source`.
        """
        return self._start_request("getSourcesAsync", functools.partial(parse_models, Source))

    def getTransfersAsync(self) -> Request:
        """Request the incoming transfers.

        The result is a list of :class:`~smartxfer.jetstream.models.ReceiveTransfer`.
        """
        return self._start_request("getTransfersAsync", functools.partial(parse_models, ReceiveTransfer))


def _extract_public_key(value: Any) -> str:
    if isinstance(value, Mapping):
        keys = [value[name] for name in _PUBLIC_KEY_FIELDS if value.get(name)]
        if not keys:
            raise UsageError(
                f"a {type(value).__name__} has no public key", hint="pass clientPublicKey as text"
            )
        value = keys[0]
    return require_text(value, "clientPublicKey")
