"""A site's address in all its forms, its public configuration, and the user's own file about it.

Source: FileSender protocol, sections 1, 3 and 4.
"""

import re
from typing import Any, Dict, Mapping, Optional, Tuple
from urllib.parse import parse_qs, urlsplit

import attrs

from smartxfer.credentials import parse_ini, read_secret_file
from smartxfer.errors import ConfigError, UsageError
from smartxfer.secret_text import Secret, as_url, hidden
from smartxfer.system_text import home_directory
from smartxfer.transport import Origin
from smartxfer.transport.origin import is_loopback

__all__ = [
    "Address",
    "SiteConfig",
    "ini_values",
    "link_base",
    "parse_base_url",
    "parse_config",
    "same_site",
    "token_of",
]

#: The groups of a token are for the site to judge; this tells one from a name or a sentence.
_TOKEN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+){4,5}\Z", re.IGNORECASE)
_SCRIPT = re.compile(r"/(?:rest|index|download)\.php(?:/.*)?\Z")


@attrs.frozen
class Address:
    """A site's base URL, and the tokens of the link that it was taken from.

    :param base: without a trailing slash.
    :param token: of a download link.
    :param vid: of a voucher link.
    """

    base: str
    token: Optional[str] = attrs.field(default=None, repr=False)
    vid: Optional[str] = attrs.field(default=None, repr=False)


def parse_base_url(text: str) -> Address:
    """The site that a pasted address belongs to.

    >>> parse_base_url("https://fs.example.org/filesender/rest.php").base
    'https://fs.example.org/filesender'

    :raises UsageError: not an address of a web site.
    """
    text = url = as_url(str(text).strip())
    if "://" not in url:
        url = as_url(f"{'http' if _leads_here(url) else 'https'}://{url}")
    origin = Origin.of(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UsageError("not a URL: its host cannot be read") from None
    if parts.username is not None:
        del parts
        raise UsageError("a base URL holds no user name or password", hint="pass auth=UserAuth(...)")
    path = _SCRIPT.sub("", parts.path).rstrip("/")
    query = hidden(parse_qs(parts.query or parts.fragment.partition("?")[2]))
    return Address(
        base=f"{origin}{path}",
        token=query.get("token", [None])[0],
        vid=query.get("vid", [None])[0],
    )


def token_of(text: Any) -> str:
    """The token, of a token, of a whole download link, or of a structure that has one.

    :raises UsageError: neither.
    """
    found: Optional[str] = Secret(getattr(text, "token", text)).strip()
    if found and ("/" in found or "?" in found):
        found = parse_base_url(found).token
    if not found or not _TOKEN.match(found):
        raise UsageError(
            "that is no download token or link", hint="copy the link, or what stands after token= in it"
        )
    return found


def split_source(text: str) -> Tuple[str, Optional[str]]:
    """Return (token or link, name of the file or None) of ``"TOKEN/NAME"``, a token, or a link.

    :raises UsageError: it is not text.
    """
    if not isinstance(text, str):
        raise UsageError(
            f"a download is named by text, not a {type(text).__name__}", hint='"TOKEN/NAME", or a link'
        )
    token, slash, name = str(text).strip().partition("/")
    if slash and _TOKEN.match(token):
        return Secret(token), name or None
    return Secret(text), None


def same_site(one: str, other: str) -> bool:
    """Return whether two base URLs name one site; its http and https on the standard ports are the same."""
    first, second = Origin.of(one), Origin.of(other)
    trusted = first.trusts(second) or second.trusts(first)
    return trusted and urlsplit(one).path.rstrip("/") == urlsplit(other).path.rstrip("/")


def link_base(text: Any) -> Optional[str]:
    """Return the base URL of the site that a link belongs to; None where only a token is given.

    :param text: a token, a whole download link, or a structure that has one.
    """
    link = as_url(str(getattr(text, "download_url", None) or getattr(text, "token", text)).strip())
    return parse_base_url(link).base if "/" in link or "?" in link else None


def _leads_here(text: str) -> bool:
    host = re.split(r"[/?#]", text, maxsplit=1)[0]
    return is_loopback(host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0])


@attrs.frozen
class SiteConfig:
    """What the site's public script says of its limits and its encryption; None for what it does not say.

    Sizes in bytes; 0 stands for no limit.
    """

    upload_chunk_size: Optional[int] = None
    max_transfer_size: Optional[int] = None
    max_transfer_files: Optional[int] = None
    max_transfer_recipients: Optional[int] = None
    max_transfer_days_valid: Optional[int] = None
    default_transfer_days_valid: Optional[int] = None
    max_transfer_file_size: Optional[int] = None
    ban_extension: Optional[str] = None
    extension_whitelist_regex: Optional[str] = None
    valid_filename_regex: Optional[str] = None
    max_transfer_encrypted_file_size: Optional[int] = None
    encryption_enabled: Optional[bool] = None
    encryption_mandatory: Optional[bool] = None
    encryption_key_version_new_files: Optional[int] = None
    encryption_password_hash_iterations_new_files: Optional[int] = None
    encryption_encode_encrypted_chunks_in_base64_during_upload: Optional[bool] = None
    encryption_min_password_length: Optional[int] = None
    encryption_password_must_have_upper_and_lower_case: Optional[bool] = None
    encryption_password_must_have_numbers: Optional[bool] = None
    encryption_password_must_have_special_characters: Optional[bool] = None


_PAIR = re.compile(
    r"""^\s*['"]?(?P<name>\w+)['"]?\s*:\s*(?:'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<bare>[^,\s'"{[]+))\s*,?""",
    re.MULTILINE,
)


def parse_config(script: str) -> SiteConfig:
    """The limits in ``filesender-config.js.php``: lines of ``name: value,``, quoted or bare.

    What is missing or unreadable is left out: no site is refused for its configuration.
    """
    found: Dict[str, Any] = {}
    fields = attrs.fields_dict(SiteConfig)
    for match in _PAIR.finditer(script):
        name = match["name"]
        quoted = match["single"] if match["single"] is not None else match["double"]
        text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else match["bare"]
        if name in fields and name not in found:
            value = _value(str(fields[name].type), text)
            if value is not None:
                found[name] = value
    return SiteConfig(**found)


def _value(kind: str, text: str) -> Any:
    if "bool" in kind:
        return text.strip().lower() in ("true", "1")
    if "int" in kind:
        return int(text) if re.fullmatch(r"[0-9]{1,18}", text.strip()) else None
    return None if text in ("null", "undefined") else text


def ini_values() -> Mapping[str, str]:
    """The base URL and credentials of ``~/.filesender/filesender.py.ini``, the file that sites offer.

    :raises ConfigError: the home directory is unknown.
    :raises Unreadable: the file cannot be read, or is malformed.

    Source: FileSender protocol, section 3.
    """
    home = home_directory()
    if home is None:
        raise ConfigError("no home directory", hint="set HOME")
    path = home / ".filesender" / "filesender.py.ini"
    try:
        file = read_secret_file(path)
    except FileNotFoundError:
        return {}
    parser = parse_ini(file)
    values = {
        "base_url": parser.get("system", "base_url", fallback=""),
        "username": parser.get("user", "username", fallback=""),
        "api_key": parser.get("user", "apikey", fallback=""),
    }
    if values["api_key"]:
        file.warn_if_shared()
    return {name: value for name, value in values.items() if value}
