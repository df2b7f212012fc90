"""Tokens of share links: each opens one record, and goes with every request to it.

Source: NRP / Invenio protocol, section 9.
"""

import threading
from typing import Any, Dict, Iterable, Mapping, Optional
from urllib.parse import unquote, urlsplit

from smartxfer.secret_text import as_secret
from smartxfer.transport import redaction

__all__ = ["ShareTokens"]


class ShareTokens:
    """The tokens that the addresses given to one client carried, by the id of the record."""

    def __init__(self) -> None:
        self._tokens: Dict[str, str] = {}
        self._lock = threading.Lock()

    def add(self, token: str, ids: Iterable[Any]) -> None:
        """Remember the token for records of these ids; empty ids are left out."""
        with self._lock:
            held = redaction.register_secret(token)
            self._tokens.update((str(each), held) for each in ids if each)

    def get_token(self, url: str) -> Optional[str]:
        """Return the token for the record that an address of the API is about; None without a link."""
        with self._lock:
            if not self._tokens:
                return None
            words = unquote(urlsplit(url).path.partition("/files/")[0]).split("/")
            return next((self._tokens[word] for word in words if word in self._tokens), None)

    def add_to_params(self, url: str, params: Optional[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return the query arguments of a request, with the token of its record."""
        token = as_secret(self.get_token(url))
        return {**(params or {}), **({"token": token} if token is not None else {})}
