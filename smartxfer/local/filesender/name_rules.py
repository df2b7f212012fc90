"""Rules for names and addresses.

Source: FileSender protocol, sections 6.1 and 15.
"""

import re
from typing import Any, List

from smartxfer.local.filesender.errors import ApiError
from smartxfer.local.filesender.site import Site, python_rule

_WORD = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#: Dots separate atoms; quoted local parts and numeric hosts are not supported.
_ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@){_WORD}(?:\.{_WORD})*@{_LABEL}(?:\.{_LABEL})+")


def valid_address(address: Any) -> bool:
    """Return True for an e-mail address, approximately by PHP's FILTER_VALIDATE_EMAIL."""
    return isinstance(address, str) and len(address) <= 254 and _ADDRESS.fullmatch(address) is not None


def check_names(site: Site, names: List[str]) -> None:
    """Check names of files; ``..`` components pass, as on real servers.

    The published rule is matched against the whole name here, whether or not it ends in ``$``. An
    extension is banned as written: ``EXE`` passes where ``exe`` is banned.

    :raises ApiError: ``transfer_file_name_invalid`` or ``file_extension_not_allowed``.
    """
    rule = python_rule(site.valid_filename_regex)
    allowed = python_rule(site.extension_whitelist_regex)
    banned = [word.strip() for word in site.ban_extension.split(",") if word.strip()]
    for name in names:
        if not rule.fullmatch(name) or name.startswith("/"):
            raise ApiError("transfer_file_name_invalid")
        base = name.rsplit("/", 1)[-1]
        extension = base.rsplit(".", 1)[1] if "." in base else ""
        if extension in banned or not allowed.search(extension):
            raise ApiError("file_extension_not_allowed")
