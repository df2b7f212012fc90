"""``api.send``: methods for manifests, destinations, transfers and shared tokens.

Names and parameters are the vendor's.  Parameters that are not in the public part of its documentation can be
sent with ``extra=``.  Parameters for ids also accept the object.

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

#: Fields with the id of an object that has user data.
_OBJECT_ID_FIELDS = ("transferId", "manifestId", "destinationId", "token")
_MANIFEST_PARAMS = ("mappings", "userData")
_DESTINATION_PARAMS = ("destinationAddress", "destinationPort", "sendRateMax", "userData")
_TRANSFER_PARAMS = (
    "destinationId", "manifestId", "priority", "destinationPath", "checkpointFrequencySeconds", "userData",
)  # fmt: skip
_SHARED_TOKEN_PARAMS = ("manifestId", "description", "downloadLimit", "expiryTime", "password", "userData")


@hide_method_arguments("password", "token", "tokens")
class SendInterface(Interface):
    """Methods for the sending side of a server."""

    _prefix = "send."

    # -- manifests --------------------------------------------------------------------------------------

    def createManifest(
        self,
        mappings: Mapping[Any, Any],
        *,
        userData: Optional[Mapping[str, Any]] = None,
        extra: Optional[Mapping[str, Any]] = None,
    ) -> Manifest:
        """Start to collect files in a manifest; a transfer sends them.

        :param mappings: destination path -> source path on the server.
        :param userData: arbitrary values by name.
        :param extra: parameters that this version does not support.
        """
        extra_params = merge_extra({}, extra, _MANIFEST_PARAMS)
        text_mappings = validate_mappings(mappings)
        return self._call_for_model(
            Manifest, "createManifest", mappings=text_mappings, userData=userData, **extra_params
        )

    def getManifest(self, manifestId: Any) -> Manifest:
        """Return the current state of a manifest."""
        manifest_id = extract_id(manifestId, "manifestId")
        return self._call_for_model(Manifest, "getManifest", ("manifestId",), manifestId=manifest_id)

    def getManifests(self) -> List[Manifest]:
        """Return all manifests that are visible to this login."""
        return self._call_for_models(Manifest, "getManifests")

    def getManifestFiles(self, manifestId: Any, **keywords: Any) -> Any:
        """Return the file mappings of a manifest."""
        result = self._call("getManifestFiles", manifestId=extract_id(manifestId, "manifestId"), **keywords)
        return parse_listing("send.getManifestFiles", result)

    def waitForManifest(
        self, manifestId: Any, *, timeout: Optional[float] = None, progress: Progress = None
    ) -> Manifest:
        """Wait until a manifest is not processed any more, and return it; its ``status`` may be an error.

        :param timeout: seconds; None waits without a limit.
        :raises WaitTimeout: it is still being processed; ``last`` is its state.
        """
        manifest: Manifest = self._wait_for_task(
            "waitForManifest", extract_id(manifestId, "manifestId"), timeout, progress
        )
        return manifest

    def deleteManifest(self, manifestId: Any) -> None:
        """Delete a manifest; a transfer that uses it continues."""
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
        """Create a destination, or return the existing one with the same parameters.

        :param userData: arbitrary values by name.
        :param extra: parameters that this version does not support.
        """
        extra_params = merge_extra({}, extra, _DESTINATION_PARAMS)
        return self._call_for_model(
            Destination,
            "createDestination",
            ("destinationPort",),
            destinationAddress=require_text(destinationAddress, "destinationAddress"),
            destinationPort=destinationPort,
            sendRateMax=sendRateMax,
            userData=userData,
            **extra_params,
        )

    def getDestination(self, destinationId: Any) -> Destination:
        """Return the current state of a destination."""
        destination_id = extract_id(destinationId, "destinationId")
        return self._call_for_model(
            Destination, "getDestination", ("destinationId",), destinationId=destination_id
        )

    def getDestinations(self) -> List[Destination]:
        """Return all destinations that are visible to this login."""
        return self._call_for_models(Destination, "getDestinations")

    def deleteDestination(self, destinationId: Any) -> None:
        """Delete a destination."""
        self._call("deleteDestination", destinationId=extract_id(destinationId, "destinationId"))

    def getConnection(self, connectionId: Any) -> Connection:
        """Return the current state of a connection."""
        connection_id = extract_id(connectionId, "connectionId")
        return self._call_for_model(
            Connection, "getConnection", ("connectionId",), connectionId=connection_id
        )

    def getConnections(self) -> List[Connection]:
        """Return all connections."""
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
        """Start to send the files of a complete manifest.

        :param priority: transfers with lower numbers are sent first.
        :param destinationPath: directory on the receiving server to which the manifest's paths are relative.
        :param userData: arbitrary values by name.
        :param extra: parameters that this version does not support.
        :raises Conflict: the manifest is not complete.
        """
        extra_params = merge_extra({}, extra, _TRANSFER_PARAMS)
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
            **extra_params,
        )

    def getTransfer(self, transferId: Any) -> Transfer:
        """Return the current state of a transfer."""
        transfer_id = extract_id(transferId, "transferId")
        return self._call_for_model(Transfer, "getTransfer", ("transferId",), transferId=transfer_id)

    def getTransfers(self) -> List[Transfer]:
        """Return all transfers that are visible to this login."""
        return self._call_for_models(Transfer, "getTransfers")

    def waitForTransfer(
        self, transferId: Any, *, timeout: Optional[float] = None, progress: Progress = None
    ) -> Transfer:
        """Wait until a transfer is not processed any more, and return it.

        Its ``status`` is complete, suspended or error.

        :param timeout: seconds; None waits without a limit.
        :raises WaitTimeout: it is still being processed; ``last`` is its state.
        """
        transfer: Transfer = self._wait_for_task(
            "waitForTransfer", extract_id(transferId, "transferId"), timeout, progress
        )
        return transfer

    def resumeTransfer(self, transferId: Any) -> Any:
        """Continue a suspended transfer.

        :raises Conflict: it is not suspended.
        """
        return self._call("resumeTransfer", transferId=extract_id(transferId, "transferId"))

    def suspendTransfer(self, transferId: Any) -> Any:
        """Suspend a transfer.  The method's name is inferred from ``resumeTransfer``."""
        return self._call("suspendTransfer", transferId=extract_id(transferId, "transferId"))

    def failTransfer(self, transferId: Any, errorMessage: str) -> Any:
        """End a transfer with an error."""
        transfer_id = extract_id(transferId, "transferId")
        return self._call("failTransfer", transferId=transfer_id, errorMessage=errorMessage)

    def deleteTransfer(self, transferId: Any) -> None:
        """Delete a transfer."""
        self._call("deleteTransfer", transferId=extract_id(transferId, "transferId"))

    def setSendRateAsync(self, **keywords: Any) -> Request:
        """Set the send rate (from an old example of the vendor; the parameters are not public)."""
        return self._start_request("setSendRateAsync", **keywords)

    def _wait_for_task(self, method: str, task_id: str, timeout: Optional[float], progress: Progress) -> Any:
        rpc = self._rpc()
        reporter = ProgressReporter(progress, rpc.clock)
        try:
            return wait_for_task(rpc, self._prefix + method, task_id, timeout, reporter)
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
        """Create a token with which clients without an account can download the files of a manifest.

        :param downloadLimit: maximum number of downloads.
        :param expiryTime: microseconds since 1970, a datetime, or a timedelta from now.
        :param userData: arbitrary values by name.
        :param extra: parameters that this version does not support.
        """
        extra_params = merge_extra({}, extra, _SHARED_TOKEN_PARAMS)
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
            **extra_params,
        )

    def getSharedToken(self, token: Any) -> Token:
        """Return the current state of a shared token."""
        return self._call_for_model(Token, "getSharedToken", ("token",), token=extract_id(token, "token"))

    def getSharedTokens(self) -> List[Token]:
        """Return all shared tokens that are visible to this login."""
        return self._call_for_models(Token, "getSharedTokens")

    def deleteSharedToken(self, token: Any) -> None:
        """Revoke a shared token."""
        self._call("deleteSharedToken", token=extract_id(token, "token"))

    # -- user data --------------------------------------------------------------------------------------

    def updateObjectUserData(self, objectId: Any, key: str, value: Any) -> Any:
        """Set a value in the user data of a destination, manifest, transfer or token."""
        return self._call("updateObjectUserData", objectId=_extract_object_id(objectId), key=key, value=value)

    def deleteObjectUserData(self, objectId: Any, key: str) -> None:
        """Remove a value from the user data of an object."""
        self._call("deleteObjectUserData", objectId=_extract_object_id(objectId), key=key)


def _extract_object_id(value: Any) -> str:
    name = next(
        (name for name in _OBJECT_ID_FIELDS if isinstance(value, Mapping) and name in value),
        _OBJECT_ID_FIELDS[0],
    )
    if isinstance(value, Token):
        name = "token"
    object_id: str = extract_id(value, name)
    return object_id


def validate_token_options(download_limit: Any, password: Any, description: Any) -> None:
    """Check the parameters of a token before a request is sent.

    :raises UsageError: the limit is not an integer of at least 1, or another value is not text.
    """
    if download_limit is not None and (
        isinstance(download_limit, bool) or not isinstance(download_limit, int) or download_limit < 1
    ):
        raise UsageError(
            f"invalid limit of downloads: {download_limit!r:.80}", hint="pass an integer of 1 or more"
        )
    for name, value in (("password", password), ("description", description)):
        if value is not None and not isinstance(value, str):
            raise UsageError(
                f"{name} must be text, not a {type(value).__name__}", hint=f"pass {name} as text"
            )


def validate_mappings(mappings: Any) -> Dict[str, str]:
    """Return the mappings of a manifest with text keys and values.

    :raises UsageError: it is not a mapping, or is empty.
    """
    if not isinstance(mappings, Mapping) or not mappings:
        problem = "empty" if isinstance(mappings, Mapping) else f"a {type(mappings).__name__}"
        raise UsageError(
            f"mappings must be a non-empty mapping of destination path -> source path, but is {problem}",
            hint="pass mappings={'/destination/a.bin': '/source/a.bin'}",
        )
    return {
        require_text(destination, "a destination path"): require_text(source, "a source path")
        for destination, source in mappings.items()
    }
