"""The names of a user's credentials in every place.

Source: FileSender protocol, section 3.
"""

from typing import Mapping

from smartxfer.credentials import ServiceNames

__all__ = ["NAMES"]


def _own_file() -> Mapping[str, str]:
    from smartxfer.filesender.site import ini_values

    return ini_values()


def _base_of(text: str) -> str:
    from smartxfer.filesender.site import parse_base_url

    return parse_base_url(text).base


NAMES = ServiceNames(
    service="filesender",
    fields={
        "base_url": "FILESENDER_BASE_URL",
        "username": "FILESENDER_USERNAME",
        "api_key": "FILESENDER_API_KEY",
    },
    netrc={"username": "login", "api_key": "password"},
    secrets=frozenset({"api_key"}),
    own_file=_own_file,
    own_place="~/.filesender/filesender.py.ini",
    clean_url=_base_of,
)
