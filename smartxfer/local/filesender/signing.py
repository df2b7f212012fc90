"""Signatures of requests, checked while the body is received.

Source: FileSender protocol, sections 3 and 15.
"""

import hashlib
import hmac

from smartxfer.local.filesender.errors import ApiError
from smartxfer.local.filesender.request_args import RequestArguments

#: Largest age of a timestamp in seconds at the end of the request. Times in the future are accepted.
SIGNATURE_LIFETIME = 15


class Signature:
    """Verification of one signature.

    :param method: HTTP method.
    :param address: name of the server and decoded path, base path included.
    :param arguments: the query arguments.
    :param api_key: the user's key; empty for an unknown user.
    """

    def __init__(self, method: str, address: str, arguments: RequestArguments, api_key: str) -> None:
        text = f"{method.lower()}&{address}"
        signed = arguments.to_sign()
        if signed:
            text += "?" + signed
        self._arguments = arguments
        self._is_complete = bool(api_key)
        self._started = False
        self._buffer = b""
        self.mac = hmac.new(api_key.encode("utf-8"), text.encode("utf-8", "surrogateescape"), hashlib.sha1)

    def update(self, piece: "bytes | memoryview") -> None:
        """Add the next piece of the body.

        PHP treats a body of exactly ``0`` as empty, so that it is buffered until more follows.
        """
        if not self._started:
            stored = self._buffer + bytes(piece)
            if stored in (b"", b"0"):
                self._buffer = stored
                return
            self._started = True
            piece = b"&" + stored
        self.mac.update(piece)

    def verify(self, now: float) -> None:
        """Verify the signature at the end of the body.

        :param now: the server's clock; the window is measured at the end of the body (section 3).
        :raises ApiError: ``auth_remote_too_late`` or ``auth_remote_signature_check_failed``.
        """
        try:
            stamp = int(self._arguments.get("timestamp", "0"))
        except ValueError:
            stamp = 0
        if int(now) - stamp > SIGNATURE_LIFETIME:
            raise ApiError("auth_remote_too_late")
        value = self._arguments.get("signature").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(self.mac.hexdigest().encode("ascii"), value) or not self._is_complete:
            raise ApiError("auth_remote_signature_check_failed")
