"""What a site answers, where filesender-client has it: mappings as there, with attributes besides."""

from smartxfer.filesender.models import (
    Date,
    File,
    Guest,
    Recipient,
    ServerInfo,
    TrackingError,
    Transfer,
)

__all__ = ["Date", "File", "Guest", "Recipient", "ServerInfo", "TrackingError", "Transfer"]
