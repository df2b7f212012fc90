"""A site's address in all its forms, its public configuration, and the user's own file about it.

Source: FileSender protocol, sections 1, 3 and 4.
"""

import re
from typing import Any, Dict, Mapping, Optional, Tuple
from urllib.parse import parse_qs, urlsplit

import attrs

from smartxfer.credentials import parse_ini, read_secret_file
from smartxfer.errors import ConfigError, UsageError
from smartxfer.os_text import get_home_directory
from smartxfer.secret_text import Secret, as_secret_url, wrap_secrets
from smartxfer.transport import Origin
from smartxfer.transport.origin import is_loopback

__all__ = [
    "SiteAddress",
    "SiteConfig",
    "extract_token",
    "get_link_base_url",
    "is_same_site",
    "parse_config",
    "parse_site_url",
    "read_user_ini",
]

#: The groups of a token are for the site to judge; this tells one from a name or a sentence.
_TOKEN_PATTERN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+){4,5}\Z", re.IGNORECASE)
_SCRIPT_PATH = re.compile(r"/(?:rest|index|download)\.php(?:/.*)?\Z")


@attrs.frozen
class SiteAddress:
    """A site's base URL, and the tokens of the link that it was taken from.

    :param base: without a trailing slash.
    :param token: of a download link.
    :param vid: of a voucher link.
    """

    base_url: str
    token: Optional[str] = attrs.field(default=None, repr=False)
    guest_token: Optional[str] = attrs.field(default=None, repr=False)


def parse_site_url(text: str) -> SiteAddress:
    """The site that a pasted address belongs to.

    >>> parse_site_url("https://fs.example.org/filesender/rest.php").base_url
    'https://fs.example.org/filesender'

    :raises UsageError: not an address of a web site.
    """
    text = url = as_secret_url(str(text).strip())
    if "://" not in url:
        url = as_secret_url(f"{'http' if _is_local_host(url) else 'https'}://{url}")
    origin = Origin.parse(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UsageError(
            "not a URL: its host cannot be read",
            hint="pass the address of the site, such as https://filesender.example.org",
        ) from None
    if parts.username is not None:
        del parts
        raise UsageError("a base URL holds no user name or password", hint="pass auth=UserAuth(...)")
    path = _SCRIPT_PATH.sub("", parts.path).rstrip("/")
    query = wrap_secrets(parse_qs(parts.query or parts.fragment.partition("?")[2]))
    return SiteAddress(
        base_url=f"{origin}{path}",
        token=query.get("token", [None])[0],
        guest_token=query.get("vid", [None])[0],
    )


def extract_token(source: Any) -> str:
    """The token, of a token, of a whole download link, or of a structure that has one.

    :raises UsageError: neither.
    """
    found: Optional[str] = Secret(getattr(source, "token", source)).strip()
    if found and ("/" in found or "?" in found):
        found = parse_site_url(found).token
    if not found or not _TOKEN_PATTERN.match(found):
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
    if slash and _TOKEN_PATTERN.match(token):
        return Secret(token), name or None
    return Secret(text), None


def is_same_site(first_url: str, second_url: str) -> bool:
    """Return whether two base URLs name one site; its http and https on the standard ports are the same."""
    first, second = Origin.parse(first_url), Origin.parse(second_url)
    trusted = first.allows_credentials_for(second) or second.allows_credentials_for(first)
    return trusted and urlsplit(first_url).path.rstrip("/") == urlsplit(second_url).path.rstrip("/")


def get_link_base_url(source: Any) -> Optional[str]:
    """Return the base URL of the site that a link belongs to; None where only a token is given.

    :param source: a token, a whole download link, or a structure that has one.
    """
    link = as_secret_url(
        str(getattr(source, "download_url", None) or getattr(source, "token", source)).strip()
    )
    return parse_site_url(link).base_url if "/" in link or "?" in link else None


def _is_local_host(text: str) -> bool:
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


_CONFIG_LINE = re.compile(
    r"""^\s*['"]?(?P<name>\w+)['"]?\s*:\s*(?:'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<bare>[^,\s'"{[]+))\s*,?""",
    re.MULTILINE,
)


def parse_config(script: str) -> SiteConfig:
    """The limits in ``filesender-config.js.php``: lines of ``name: value,``, quoted or bare.

    What is missing or unreadable is left out: no site is refused for its configuration.
    """
    found: Dict[str, Any] = {}
    fields = attrs.fields_dict(SiteConfig)
    for match in _CONFIG_LINE.finditer(script):
        name = match["name"]
        quoted = match["single"] if match["single"] is not None else match["double"]
        text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else match["bare"]
        if name in fields and name not in found:
            value = _parse_config_value(str(fields[name].type), text)
            if value is not None:
                found[name] = value
    return SiteConfig(**found)


def _parse_config_value(field_type: str, text: str) -> Any:
    if "bool" in field_type:
        return text.strip().lower() in ("true", "1")
    if "int" in field_type:
        return int(text) if re.fullmatch(r"[0-9]{1,18}", text.strip()) else None
    return None if text in ("null", "undefined") else text


def read_user_ini() -> Mapping[str, str]:
    """The base URL and credentials of ``~/.filesender/filesender.py.ini``, the file that sites offer.

    :raises ConfigError: the home directory is unknown.
    :raises Unreadable: the file cannot be read, or is malformed.

    Source: FileSender protocol, section 3.
    """
    home = get_home_directory()
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
