"""FileSenderClient, where filesender-client has it."""

from smartxfer.filesender.client import FileSenderClient

__all__ = ["FileSenderClient"]
