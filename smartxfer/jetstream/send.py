"""``api.send``: manifests, destinations, transfers, shared tokens.

Names and parameters are the vendor's.  Where its documentation could not be read to the end, ``extra=`` sends
further ones.  Wherever an id is wanted the structure will do.

Source: JetStream protocol, section 5.2.
"""

from typing import Any, Dict, List, Mapping, Optional

from smartxfer.errors import UsageError
from smartxfer.jetstream.address import DEFAULT_PORT
from smartxfer.jetstream.async_requests import Request
from smartxfer.jetstream.auth import register_secrets
from smartxfer.jetstream.interface import Interface, TimeLike, extract_id, require_text, to_microseconds
from smartxfer.jetstream.models import Connection, Destination, Manifest, Token, Transfer, parse_listing
from smartxfer.jetstream.polling import wait_for_task
from smartxfer.secret_text import hide_method_arguments
from smartxfer.transfer.progress import Progress, ProgressReporter
from smartxfer.validation import merge_extra

__all__ = ["SendInterface", "validate_mappings", "validate_token_options"]

#: What holds an object's id, by which its user data is found.
_OBJECT_ID_FIELDS = ("transferId", "manifestId", "destinationId", "token")
_MANIFEST_PARAMS = ("mappings", "userData")
_DESTINATION_PARAMS = ("destinationAddress", "destinationPort", "sendRateMax", "userData")
_TRANSFER_PARAMS = (
    "destinationId", "manifestId", "priority", "destinationPath", "checkpointFrequencySeconds", "userData",
)  # fmt: skip
_SHARED_TOKEN_PARAMS = ("manifestId", "description", "downloadLimit", "expiryTime", "password", "userData")


@hide_method_arguments("password", "token", "tokens")
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
        further = merge_extra({}, extra, _MANIFEST_PARAMS)
        checked = validate_mappings(mappings)
        return self._call_for_model(
            Manifest, "createManifest", mappings=checked, userData=userData, **further
        )

    def getManifest(self, manifestId: Any) -> Manifest:
        """A manifest as it is now."""
        id = extract_id(manifestId, "manifestId")
        return self._call_for_model(Manifest, "getManifest", ("manifestId",), manifestId=id)

    def getManifests(self) -> List[Manifest]:
        """Every manifest that this login may see."""
        return self._call_for_models(Manifest, "getManifests")

    def getManifestFiles(self, manifestId: Any, **keywords: Any) -> Any:
        """The file mappings of a manifest."""
        found = self._call("getManifestFiles", manifestId=extract_id(manifestId, "manifestId"), **keywords)
        return parse_listing("send.getManifestFiles", found)

    def waitForManifest(
        self, manifestId: Any, *, timeout: Optional[float] = None, progress: Progress = None
    ) -> Manifest:
        """The manifest, once it is not processed any more; look at its ``status``.

        :param timeout: seconds; None waits for as long as it takes.
        :raises WaitTimeout: it is still being processed; ``last`` is its state.
        """
        found: Manifest = self._wait_for_task(
            "waitForManifest", extract_id(manifestId, "manifestId"), timeout, progress
        )
        return found

    def deleteManifest(self, manifestId: Any) -> None:
        """Delete a manifest; a transfer that uses it goes on."""
        self._call("deleteManifest", manifestId=extract_id(manifestId, "manifestId"))

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
        further = merge_extra({}, extra, _DESTINATION_PARAMS)
        return self._call_for_model(
            Destination,
            "createDestination",
            ("destinationPort",),
            destinationAddress=require_text(destinationAddress, "destinationAddress"),
            destinationPort=destinationPort,
            sendRateMax=sendRateMax,
            userData=userData,
            **further,
        )

    def getDestination(self, destinationId: Any) -> Destination:
        """A destination as it is now."""
        id = extract_id(destinationId, "destinationId")
        return self._call_for_model(Destination, "getDestination", ("destinationId",), destinationId=id)

    def getDestinations(self) -> List[Destination]:
        """Every destination that this login may see."""
        return self._call_for_models(Destination, "getDestinations")

    def deleteDestination(self, destinationId: Any) -> None:
        """Delete a destination."""
        self._call("deleteDestination", destinationId=extract_id(destinationId, "destinationId"))

    def getConnection(self, connectionId: Any) -> Connection:
        """A connection as it is now."""
        id = extract_id(connectionId, "connectionId")
        return self._call_for_model(Connection, "getConnection", ("connectionId",), connectionId=id)

    def getConnections(self) -> List[Connection]:
        """Every connection."""
        return self._call_for_models(Connection, "getConnections")

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
        further = merge_extra({}, extra, _TRANSFER_PARAMS)
        return self._call_for_model(
            Transfer,
            "createTransfer",
            ("destinationId", "manifestId"),
            destinationId=extract_id(destinationId, "destinationId"),
            manifestId=extract_id(manifestId, "manifestId"),
            priority=priority,
            destinationPath=destinationPath,
            checkpointFrequencySeconds=checkpointFrequencySeconds,
            userData=userData,
            **further,
        )

    def getTransfer(self, transferId: Any) -> Transfer:
        """A transfer as it is now."""
        id = extract_id(transferId, "transferId")
        return self._call_for_model(Transfer, "getTransfer", ("transferId",), transferId=id)

    def getTransfers(self) -> List[Transfer]:
        """Every transfer that this login may see."""
        return self._call_for_models(Transfer, "getTransfers")

    def waitForTransfer(
        self, transferId: Any, *, timeout: Optional[float] = None, progress: Progress = None
    ) -> Transfer:
        """The transfer, once it is not processed any more: complete, suspended or failed, as ``status`` says.

        :param timeout: seconds; None waits for as long as it takes.
        :raises WaitTimeout: it is still being processed; ``last`` is its state.
        """
        found: Transfer = self._wait_for_task(
            "waitForTransfer", extract_id(transferId, "transferId"), timeout, progress
        )
        return found

    def resumeTransfer(self, transferId: Any) -> Any:
        """Let a suspended transfer go on.

        :raises Conflict: it is not suspended.
        """
        return self._call("resumeTransfer", transferId=extract_id(transferId, "transferId"))

    def suspendTransfer(self, transferId: Any) -> Any:
        """Suspend a transfer.  The method's name is inferred from ``resumeTransfer``."""
        return self._call("suspendTransfer", transferId=extract_id(transferId, "transferId"))

    def failTransfer(self, transferId: Any, errorMessage: str) -> Any:
        """End a transfer with an error."""
        id = extract_id(transferId, "transferId")
        return self._call("failTransfer", transferId=id, errorMessage=errorMessage)

    def deleteTransfer(self, transferId: Any) -> None:
        """Delete a transfer."""
        self._call("deleteTransfer", transferId=extract_id(transferId, "transferId"))

    def setSendRateAsync(self, **keywords: Any) -> Request:
        """Set the rate of sending; from an old example of the vendor's, its parameters are not public."""
        return self._start_request("setSendRateAsync", **keywords)

    def _wait_for_task(self, method: str, id: str, timeout: Optional[float], progress: Progress) -> Any:
        rpc = self._rpc()
        reporter = ProgressReporter(progress, rpc.clock)
        try:
            return wait_for_task(rpc, self._prefix + method, id, timeout, reporter)
        finally:
            reporter.close()

    # -- shared tokens ----------------------------------------------------------------------------------

    def createSharedToken(
        self,
        manifestId: Any,
        description: Optional[str] = None,
        downloadLimit: Optional[int] = None,
        expiryTime: TimeLike = None,
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
        further = merge_extra({}, extra, _SHARED_TOKEN_PARAMS)
        validate_token_options(downloadLimit, password, description)
        register_secrets({"password": password or ""})
        return self._call_for_model(
            Token,
            "createSharedToken",
            ("manifestId",),
            manifestId=extract_id(manifestId, "manifestId"),
            description=description,
            downloadLimit=downloadLimit,
            expiryTime=to_microseconds(expiryTime, self._rpc().clock.time),
            password=password,
            userData=userData,
            **further,
        )

    def getSharedToken(self, token: Any) -> Token:
        """A shared token as it is now."""
        return self._call_for_model(Token, "getSharedToken", ("token",), token=extract_id(token, "token"))

    def getSharedTokens(self) -> List[Token]:
        """Every shared token that this login may see."""
        return self._call_for_models(Token, "getSharedTokens")

    def deleteSharedToken(self, token: Any) -> None:
        """Revoke a shared token."""
        self._call("deleteSharedToken", token=extract_id(token, "token"))

    # -- user data --------------------------------------------------------------------------------------

    def updateObjectUserData(self, objectId: Any, key: str, value: Any) -> Any:
        """Attach a value to a destination, manifest, transfer or token."""
        return self._call("updateObjectUserData", objectId=_extract_object_id(objectId), key=key, value=value)

    def deleteObjectUserData(self, objectId: Any, key: str) -> None:
        """Take a value away."""
        self._call("deleteObjectUserData", objectId=_extract_object_id(objectId), key=key)


def _extract_object_id(value: Any) -> str:
    name = next(
        (name for name in _OBJECT_ID_FIELDS if isinstance(value, Mapping) and name in value),
        _OBJECT_ID_FIELDS[0],
    )
    if isinstance(value, Token):
        name = "token"
    found: str = extract_id(value, name)
    return found


def validate_token_options(download_limit: Any, password: Any, description: Any) -> None:
    """Check what a shared token is made with, before anything is sent.

    :raises UsageError: the limit is not a number of at least 1, or another value is not text.
    """
    if download_limit is not None and (
        isinstance(download_limit, bool) or not isinstance(download_limit, int) or download_limit < 1
    ):
        raise UsageError(
            f"the limit of downloads is a number, 1 or more, not {download_limit!r:.80}",
            hint="pass a number of downloads, such as 1",
        )
    for name, value in (("password", password), ("description", description)):
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{name} is text, not {type(value).__name__}", hint=f"pass {name} as text")


def validate_mappings(mappings: Any) -> Dict[str, str]:
    """Mappings of a manifest as plain text.

    :raises UsageError: they are none, or empty.
    """
    if not isinstance(mappings, Mapping) or not mappings:
        raise UsageError(
            f"mappings is a mapping of destination path -> source path, not {type(mappings).__name__}",
            hint="it has at least one entry",
        )
    return {
        require_text(destination, "a destination path"): require_text(source, "a source path")
        for destination, source in mappings.items()
    }
