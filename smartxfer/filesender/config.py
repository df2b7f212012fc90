"""The settings file that FileSender sites offer, where filesender-client reads it."""

from typing import Dict

from smartxfer.filesender.site_address import read_user_ini

__all__ = ["get_defaults"]


def get_defaults() -> Dict[str, str]:
    """Return ``base_url``, ``username`` and ``apikey`` of ``~/.filesender/filesender.py.ini``.

    What the file does not have is left out.
    A client finds them without it: ``FileSenderClient.from_environment()``.

    :raises ConfigError: the home directory is unknown, or the file is malformed.
    """
    return {"apikey" if name == "api_key" else name: value for name, value in read_user_ini().items()}
