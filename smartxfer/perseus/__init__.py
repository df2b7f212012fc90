"""Perseus: files for the text-to-graph service, sent to presigned addresses.

Source: Perseus protocol.
"""

from smartxfer.perseus.client import PerseusClient
from smartxfer.perseus.errors import APIException, ConfigurationException, PerseusException
from smartxfer.perseus.models import File, FileStatus

__all__ = [
    "APIException",
    "ConfigurationException",
    "File",
    "FileStatus",
    "PerseusClient",
    "PerseusException",
]
