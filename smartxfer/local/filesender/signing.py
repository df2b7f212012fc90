"""Signatures of requests, checked while the body comes in.

Source: FileSender protocol, sections 3 and 15.
"""

import hashlib
import hmac

from smartxfer.local.filesender.arguments import Arguments
from smartxfer.local.filesender.refusals import ApiError

#: Seconds that a timestamp may be old when the request has arrived. A later one is never too late.
SIGNED_FOR = 15


class Signature:
    """The check of one signature.

    :param method: HTTP method.
    :param address: name of the server and decoded path, base path included.
    :param arguments: the query arguments.
    :param api_key: the user's key; empty when there is no such user.
    """

    def __init__(self, method: str, address: str, arguments: Arguments, api_key: str) -> None:
        text = f"{method.lower()}&{address}"
        signed = arguments.to_sign()
        if signed:
            text += "?" + signed
        self._arguments = arguments
        self._known = bool(api_key)
        self._started = False
        self._held = b""
        self.mac = hmac.new(api_key.encode("utf-8"), text.encode("utf-8", "surrogateescape"), hashlib.sha1)

    def update(self, piece: "bytes | memoryview") -> None:
        """Take in the next piece of the body.

        PHP takes a body of exactly ``0`` for an empty one: it is held back until more comes.
        """
        if not self._started:
            held = self._held + bytes(piece)
            if held in (b"", b"0"):
                self._held = held
                return
            self._started = True
            piece = b"&" + held
        self.mac.update(piece)

    def verify(self, now: float) -> None:
        """Compare, once the whole body has come.

        :param now: the server's clock; the window is measured at the end of the body (section 3).
        :raises ApiError: ``auth_remote_too_late`` or ``auth_remote_signature_check_failed``.
        """
        try:
            stamp = int(self._arguments.get("timestamp", "0"))
        except ValueError:
            stamp = 0
        if int(now) - stamp > SIGNED_FOR:
            raise ApiError("auth_remote_too_late")
        given = self._arguments.get("signature").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(self.mac.hexdigest().encode("ascii"), given) or not self._known:
            raise ApiError("auth_remote_signature_check_failed")
