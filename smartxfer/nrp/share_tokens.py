"""Tokens of share links: each gives access to one record, and is sent with all requests to it.

Source: NRP / Invenio protocol, section 9.
"""

import threading
from typing import Any, Dict, Iterable, Mapping, Optional
from urllib.parse import unquote, urlsplit

from smartxfer.secret_text import as_secret
from smartxfer.transport import redaction

__all__ = ["ShareTokens"]


class ShareTokens:
    """The tokens in URLs that were passed to a client, by the id of the record."""

    def __init__(self) -> None:
        self._tokens: Dict[str, str] = {}
        self._lock = threading.Lock()

    def add(self, token: str, ids: Iterable[Any]) -> None:
        """Store the token for records with these ids; empty ids are ignored."""
        with self._lock:
            secret = redaction.register_secret(token)
            self._tokens.update((str(each), secret) for each in ids if each)

    def get_token(self, url: str) -> Optional[str]:
        """Return the token for the record of an API URL, or None."""
        with self._lock:
            if not self._tokens:
                return None
            segments = unquote(urlsplit(url).path.partition("/files/")[0]).split("/")
            return next((self._tokens[segment] for segment in segments if segment in self._tokens), None)

    def add_to_params(self, url: str, params: Optional[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return the query parameters of a request, with the token of its record."""
        token = as_secret(self.get_token(url))
        return {**(params or {}), **({"token": token} if token is not None else {})}
