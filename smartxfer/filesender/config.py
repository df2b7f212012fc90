"""Reader of the settings file that sites offer for download; filesender-client has a module of this name."""

from typing import Dict

from smartxfer.filesender.site_address import read_user_ini

__all__ = ["get_defaults"]


def get_defaults() -> Dict[str, str]:
    """Return ``base_url``, ``username`` and ``apikey`` of ``~/.filesender/filesender.py.ini``.

    Missing values are left out.  ``FileSenderClient.from_environment()`` reads this file by itself.

    :raises ConfigError: the home directory is unknown, or the file is malformed.
    """
    return {"apikey" if name == "api_key" else name: value for name, value in read_user_ini().items()}
