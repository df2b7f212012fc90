"""``FileSenderClient`` under the module name that scripts of filesender-client import."""

from smartxfer.filesender.client import FileSenderClient

__all__ = ["FileSenderClient"]
