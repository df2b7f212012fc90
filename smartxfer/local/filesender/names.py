"""Rules for names and addresses.

Source: FileSender protocol, section 6.1.
"""

import re
from typing import Any, List

from smartxfer.local.filesender.refusals import Refusal
from smartxfer.local.filesender.site import Site, python_rule

__all__ = ["check_names", "valid_address"]

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")


def valid_address(address: Any) -> bool:
    """Whether something is an e-mail address by PHP's rule, near enough."""
    return isinstance(address, str) and _ADDRESS.fullmatch(address) is not None


def check_names(site: Site, names: List[str]) -> None:
    """Check names of files; ``..`` components pass, as on real servers.

    :raises Refusal: ``transfer_file_name_invalid`` or ``file_extension_not_allowed``.
    """
    rule = python_rule(site.valid_filename_regex)
    allowed = python_rule(site.extension_whitelist_regex)
    banned = [word.strip().lower() for word in site.ban_extension.split(",") if word.strip()]
    for name in names:
        # Python's `$` lets a line break stand at the end.
        if not rule.search(name) or name.startswith("/") or "\n" in name:
            raise Refusal("transfer_file_name_invalid")
        base = name.rsplit("/", 1)[-1]
        extension = base.rsplit(".", 1)[1] if "." in base else ""
        if extension.lower() in banned or not allowed.search(extension):
            raise Refusal("file_extension_not_allowed")
