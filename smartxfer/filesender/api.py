"""Alias of ``FileSenderClient`` under the module name that filesender-client uses."""

from smartxfer.filesender.client import FileSenderClient

__all__ = ["FileSenderClient"]
