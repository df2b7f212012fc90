"""Names of the FileSender credentials in the environment, configuration files and netrc.

Source: FileSender protocol, section 3.
"""

from typing import Mapping

from smartxfer.credentials import CredentialSpec

__all__ = ["CREDENTIAL_SPEC"]


def _read_config_file() -> Mapping[str, str]:
    from smartxfer.filesender.site_address import read_user_ini

    return read_user_ini()


def _normalize_url(text: str) -> str:
    from smartxfer.filesender.site_address import parse_site_url

    return parse_site_url(text).base_url


CREDENTIAL_SPEC = CredentialSpec(
    service="filesender",
    argument="auth=UserAuth(username, api_key)",
    fields={
        "base_url": "FILESENDER_BASE_URL",
        "username": "FILESENDER_USERNAME",
        "api_key": "FILESENDER_API_KEY",
    },
    netrc={"username": "login", "api_key": "password"},
    secrets=frozenset({"api_key"}),
    read_config_file=_read_config_file,
    config_file_label="~/.filesender/filesender.py.ini",
    normalize_url=_normalize_url,
)
