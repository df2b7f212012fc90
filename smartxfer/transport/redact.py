"""Keeping secrets out of logs and messages.

Two nets: query parameters that are secret by their name, and the very values of account secrets that a client
was given.  The filter also sits on urllib3's loggers, whose debug lines carry whole URLs.
"""

import logging
import re
from typing import Any, Set
from urllib.parse import quote, quote_plus

__all__ = ["RedactingFilter", "clean", "clean_all", "install", "remember_secret"]

_NAMES = (
    "signature|token|access_token|key|puid|uid|vid|roundtriptoken|transaction_id|password|api_?key|secret"
    "|oauth_[a-z_]+|X-Amz-[A-Za-z-]+|AWSAccessKeyId|csrfptoken|security_token"
)
#: JSON may write the ampersand as an escape; a form begins with its first parameter.
_PARAMETER = re.compile(rf"(?i)((?:\A|(?<=[?&;])|(?<=\\u0026))(?:{_NAMES})=)[^&\s\"'#)\\]*")
#: The same in a body of JSON that is quoted.
_MEMBER = re.compile(
    r'(?i)("(?:[a-z_]*token|[a-z_]*password|api_?key|secret|signature|puid|uid)"\s*:\s*")(?:[^"\\]|\\.)*'
)
#: And an attribute of a page, such as ``data-security-token="..."``.
_ATTRIBUTE = re.compile(r"""(?i)(\bdata-[a-z-]*token\s*=\s*["']?)[^"'\s>]+""")
_values: Set[str] = set()

#: Loggers whose records may carry a URL; a filter on a parent does not see its children's records.
_LOGGERS = (
    "urllib3.connectionpool",
    "urllib3.connection",
    "urllib3.poolmanager",
    "urllib3.response",
    "urllib3.util.retry",
)


def remember_secret(value: str) -> None:
    """Have ``value``, also as it stands in URLs, masked in every log and message (4 characters and more)."""
    if len(value) >= 4:
        quoted = (quote(value, safe="", errors="replace"), quote_plus(value, errors="replace"))
        _values.update((value, *quoted))


def clean(text: str) -> str:
    """``text`` with secrets masked."""
    text = _MEMBER.sub(r"\1***", _PARAMETER.sub(r"\1***", text))
    text = _ATTRIBUTE.sub(r"\1***", text)
    for value in sorted(_values.copy(), key=len, reverse=True):  # one may be the start of another
        if value in text:
            text = text.replace(value, "***")
    return text


def clean_all(value: Any, depth: int = 20) -> Any:
    """The same for decoded JSON: texts and keys at any place in it; what lies deeper is left out."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, (dict, list)) and not depth:
        return None
    if isinstance(value, dict):
        return {clean(str(key)): clean_all(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [clean_all(inner, depth - 1) for inner in value]
    return value


class RedactingFilter(logging.Filter):
    """Masks secrets in a record's message; lets every record pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record in place."""
        message = record.getMessage()
        masked = clean(message)
        if masked != message:
            record.msg, record.args = masked, ()
        return True


def install(*names: str) -> None:
    """Put the filter on urllib3's loggers and on those named, once each."""
    for name in _LOGGERS + names:
        logger = logging.getLogger(name)
        if not any(isinstance(known, RedactingFilter) for known in logger.filters):
            logger.addFilter(RedactingFilter())
