"""Models of the site's responses, under the module name that filesender-client uses.

Like the types of filesender-client they can be used as mappings; they also have attributes.
"""

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
