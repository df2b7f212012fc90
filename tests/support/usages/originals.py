"""The original packages, where they are installed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Dict

# A module of each: the directories of these tests' own names would pass for the packages.
_MODULES = {
    "smartfile": "smartfile.errors",
    "filesender": "filesender.request_types",
    "nrp": "nrp_cmd.sync_client",
    "perseus": "perseus_client.models",
}
_PACKAGES = {
    "smartfile": "smartfile",
    "filesender": "filesender-client",
    "nrp": "nrp-cmd, for which Python must be 3.12",
    "perseus": "perseus-client, for which Python must be 3.10",
}


def missing(service: str, names: Dict[str, Any]) -> str:
    """Return what is missing to run the original's programs; "" if nothing is.

    :param names: of the running site.
    """
    try:
        importlib.import_module(_MODULES[service])
    except ImportError:
        return f"needs the package {_PACKAGES[service]}"
    if service == "filesender":  # it has looked for the home directory when it was imported
        config: Any = importlib.import_module("filesender.config")
        config.CONFIG_PATH = Path.home() / ".filesender" / "filesender.py.ini"
    if service == "perseus":  # it has read its environment when it was imported
        settings = importlib.import_module("perseus_client.config").settings
        settings.perseus_api_host, settings.perseus_api_key = names["URL"], names["API_KEY"]
    return ""
