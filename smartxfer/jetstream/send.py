"""``api.send``: manifests, destinations, transfers, shared tokens.

Names and parameters are the vendor's.  Where its documentation could not be read to the end, ``extra=`` sends
further ones.  Wherever an id is wanted the structure will do.

Source: JetStream protocol, section 5.2.
"""

from typing import Any, Dict, List, Mapping, Optional

from smartxfer.errors import UsageError
from smartxfer.jetstream.address import DEFAULT_PORT
from smartxfer.jetstream.interface import Interface, Moment, id_of, microseconds, text_of
from smartxfer.jetstream.login import keep_secret
from smartxfer.jetstream.models import Connection, Destination, Manifest, Token, Transfer, listing
from smartxfer.jetstream.requests import Request
from smartxfer.jetstream.waiting import wait
from smartxfer.options import with_extra
from smartxfer.secret_text import hides
from smartxfer.transfer.progress import Progress, Reporter

__all__ = ["SendInterface", "check_token", "checked_mappings"]

#: What holds an object's id, by which its user data is found.
_OBJECTS = ("transferId", "manifestId", "destinationId", "token")
_MANIFEST = ("mappings", "userData")
_DESTINATION = ("destinationAddress", "destinationPort", "sendRateMax", "userData")
_TRANSFER = (
    "destinationId", "manifestId", "priority", "destinationPath", "checkpointFrequencySeconds", "userData",
)  # fmt: skip
_SHARED_TOKEN = ("manifestId", "description", "downloadLimit", "expiryTime", "password", "userData")


@hides("password", "token", "tokens")
class SendInterface(Interface):
    """Commands to the sending side of a server."""

    _prefix = "send."

    # -- manifests --------------------------------------------------------------------------------------

    def createManifest(
        self,
        mappings: Mapping[Any, Any],
        *,
        userData: Optional[Mapping[str, Any]] = None,
        extra: Optional[Mapping[str, Any]] = None,
    ) -> Manifest:
        """Begin to gather files; nothing is sent yet.

        :param mappings: destination path -> source path on the server.
        :param userData: anything of one's own, by name.
        :param extra: parameters that this version does not know.
        """
        further = with_extra({}, extra, _MANIFEST)
        checked = checked_mappings(mappings)
        return self._made(Manifest, "createManifest", mappings=checked, userData=userData, **further)

    def getManifest(self, manifestId: Any) -> Manifest:
        """A manifest as it is now."""
        id = id_of(manifestId, "manifestId")
        return self._made(Manifest, "getManifest", ("manifestId",), manifestId=id)

    def getManifests(self) -> List[Manifest]:
        """Every manifest that this login may see."""
        return self._several(Manifest, "getManifests")

    def getManifestFiles(self, manifestId: Any, **keywords: Any) -> Any:
        """The file mappings of a manifest."""
        found = self._ask("getManifestFiles", manifestId=id_of(manifestId, "manifestId"), **keywords)
        return listing("send.getManifestFiles", found)

    def waitForManifest(
        self, manifestId: Any, *, timeout: Optional[float] = None, progress: Progress = None
    ) -> Manifest:
        """The manifest, once it is not processed any more; look at its ``status``.

        :param timeout: seconds; None waits for as long as it takes.
        :raises WaitTimeout: it is still being processed; ``last`` is its state.
        """
        found: Manifest = self._wait("waitForManifest", id_of(manifestId, "manifestId"), timeout, progress)
        return found

    def deleteManifest(self, manifestId: Any) -> None:
        """Delete a manifest; a transfer that uses it goes on."""
        self._ask("deleteManifest", manifestId=id_of(manifestId, "manifestId"))

    # -- destinations -----------------------------------------------------------------------------------

    def createDestination(
        self,
        destinationAddress: str,
        destinationPort: int = DEFAULT_PORT,
        sendRateMax: Optional[int] = None,
        *,
        userData: Optional[Mapping[str, Any]] = None,
        extra: Optional[Mapping[str, Any]] = None,
    ) -> Destination:
        """A far server to send to: the one that is known, where everything matches.

        :param userData: anything of one's own, by name.
        :param extra: parameters that this version does not know.
        """
        further = with_extra({}, extra, _DESTINATION)
        return self._made(
            Destination,
            "createDestination",
            ("destinationPort",),
            destinationAddress=text_of(destinationAddress, "destinationAddress"),
            destinationPort=destinationPort,
            sendRateMax=sendRateMax,
            userData=userData,
            **further,
        )

    def getDestination(self, destinationId: Any) -> Destination:
        """A destination as it is now."""
        id = id_of(destinationId, "destinationId")
        return self._made(Destination, "getDestination", ("destinationId",), destinationId=id)

    def getDestinations(self) -> List[Destination]:
        """Every destination that this login may see."""
        return self._several(Destination, "getDestinations")

    def deleteDestination(self, destinationId: Any) -> None:
        """Delete a destination."""
        self._ask("deleteDestination", destinationId=id_of(destinationId, "destinationId"))

    def getConnection(self, connectionId: Any) -> Connection:
        """A connection as it is now."""
        id = id_of(connectionId, "connectionId")
        return self._made(Connection, "getConnection", ("connectionId",), connectionId=id)

    def getConnections(self) -> List[Connection]:
        """Every connection."""
        return self._several(Connection, "getConnections")

    # -- transfers --------------------------------------------------------------------------------------

    def createTransfer(
        self,
        destinationId: Any,
        manifestId: Any,
        priority: Optional[int] = None,
        destinationPath: Optional[str] = None,
        checkpointFrequencySeconds: Optional[float] = None,
        *,
        userData: Optional[Mapping[str, Any]] = None,
        extra: Optional[Mapping[str, Any]] = None,
    ) -> Transfer:
        """Begin to send the files of a manifest, which has to be complete.

        :param priority: lower is sent first.
        :param destinationPath: a directory of the far server that the manifest's paths are below.
        :raises Conflict: the manifest is not complete.
        :param userData: anything of one's own, by name.
        :param extra: parameters that this version does not know.
        """
        further = with_extra({}, extra, _TRANSFER)
        return self._made(
            Transfer,
            "createTransfer",
            ("destinationId", "manifestId"),
            destinationId=id_of(destinationId, "destinationId"),
            manifestId=id_of(manifestId, "manifestId"),
            priority=priority,
            destinationPath=destinationPath,
            checkpointFrequencySeconds=checkpointFrequencySeconds,
            userData=userData,
            **further,
        )

    def getTransfer(self, transferId: Any) -> Transfer:
        """A transfer as it is now."""
        id = id_of(transferId, "transferId")
        return self._made(Transfer, "getTransfer", ("transferId",), transferId=id)

    def getTransfers(self) -> List[Transfer]:
        """Every transfer that this login may see."""
        return self._several(Transfer, "getTransfers")

    def waitForTransfer(
        self, transferId: Any, *, timeout: Optional[float] = None, progress: Progress = None
    ) -> Transfer:
        """The transfer, once it is not processed any more: complete, suspended or failed, as ``status`` says.

        :param timeout: seconds; None waits for as long as it takes.
        :raises WaitTimeout: it is still being processed; ``last`` is its state.
        """
        found: Transfer = self._wait("waitForTransfer", id_of(transferId, "transferId"), timeout, progress)
        return found

    def resumeTransfer(self, transferId: Any) -> Any:
        """Let a suspended transfer go on.

        :raises Conflict: it is not suspended.
        """
        return self._ask("resumeTransfer", transferId=id_of(transferId, "transferId"))

    def suspendTransfer(self, transferId: Any) -> Any:
        """Suspend a transfer.  The method's name is inferred from ``resumeTransfer``."""
        return self._ask("suspendTransfer", transferId=id_of(transferId, "transferId"))

    def failTransfer(self, transferId: Any, errorMessage: str) -> Any:
        """End a transfer with an error."""
        id = id_of(transferId, "transferId")
        return self._ask("failTransfer", transferId=id, errorMessage=errorMessage)

    def deleteTransfer(self, transferId: Any) -> None:
        """Delete a transfer."""
        self._ask("deleteTransfer", transferId=id_of(transferId, "transferId"))

    def setSendRateAsync(self, **keywords: Any) -> Request:
        """Set the rate of sending; from an old example of the vendor's, its parameters are not public."""
        return self._begin("setSendRateAsync", **keywords)

    def _wait(self, method: str, id: str, timeout: Optional[float], progress: Progress) -> Any:
        rpc = self._rpc()
        reporter = Reporter(progress, rpc.clock)
        try:
            return wait(rpc, self._prefix + method, id, timeout, reporter)
        finally:
            reporter.close()

    # -- shared tokens ----------------------------------------------------------------------------------

    def createSharedToken(
        self,
        manifestId: Any,
        description: Optional[str] = None,
        downloadLimit: Optional[int] = None,
        expiryTime: Moment = None,
        password: Optional[str] = None,
        *,
        userData: Optional[Mapping[str, Any]] = None,
        extra: Optional[Mapping[str, Any]] = None,
    ) -> Token:
        """Make a token by which somebody without an account fetches the files of a manifest.

        :param downloadLimit: transfers that may be made with it.
        :param expiryTime: microseconds since 1970, a datetime, or a timedelta from now.
        :param userData: anything of one's own, by name.
        :param extra: parameters that this version does not know.
        """
        further = with_extra({}, extra, _SHARED_TOKEN)
        check_token(downloadLimit, password, description)
        keep_secret({"password": password or ""})
        return self._made(
            Token,
            "createSharedToken",
            ("manifestId",),
            manifestId=id_of(manifestId, "manifestId"),
            description=description,
            downloadLimit=downloadLimit,
            expiryTime=microseconds(expiryTime, self._rpc().clock.wall),
            password=password,
            userData=userData,
            **further,
        )

    def getSharedToken(self, token: Any) -> Token:
        """A shared token as it is now."""
        return self._made(Token, "getSharedToken", ("token",), token=id_of(token, "token"))

    def getSharedTokens(self) -> List[Token]:
        """Every shared token that this login may see."""
        return self._several(Token, "getSharedTokens")

    def deleteSharedToken(self, token: Any) -> None:
        """Revoke a shared token."""
        self._ask("deleteSharedToken", token=id_of(token, "token"))

    # -- user data --------------------------------------------------------------------------------------

    def updateObjectUserData(self, objectId: Any, key: str, value: Any) -> Any:
        """Attach a value to a destination, manifest, transfer or token."""
        return self._ask("updateObjectUserData", objectId=_object_id(objectId), key=key, value=value)

    def deleteObjectUserData(self, objectId: Any, key: str) -> None:
        """Take a value away."""
        self._ask("deleteObjectUserData", objectId=_object_id(objectId), key=key)


def _object_id(value: Any) -> str:
    name = next((name for name in _OBJECTS if isinstance(value, Mapping) and name in value), _OBJECTS[0])
    if isinstance(value, Token):
        name = "token"
    found: str = id_of(value, name)
    return found


def check_token(limit: Any, password: Any, description: Any) -> None:
    """Check what a shared token is made with, before anything is sent.

    :raises UsageError: the limit is not a number of at least 1, or another value is not text.
    """
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise UsageError(f"the limit of downloads is a number, 1 or more, not {limit!r:.80}")
    for name, value in (("password", password), ("description", description)):
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{name} is text, not {type(value).__name__}")


def checked_mappings(mappings: Any) -> Dict[str, str]:
    """Mappings of a manifest as plain text.

    :raises UsageError: they are none, or empty.
    """
    if not isinstance(mappings, Mapping) or not mappings:
        raise UsageError(
            f"mappings is a mapping of destination path -> source path, not {type(mappings).__name__}",
            hint="it has at least one entry",
        )
    return {
        text_of(destination, "a destination path"): text_of(source, "a source path")
        for destination, source in mappings.items()
    }
