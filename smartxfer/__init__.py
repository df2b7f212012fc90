"""smartxfer: files sent and fetched through five services, by one engine that loses nothing."""

__version__ = "0.1.0"

from smartxfer.errors import SmartxferError
from smartxfer.filesender import Auth, FileSenderClient, GuestAuth, UserAuth
from smartxfer.transport import RetryPolicy

__all__ = [
    "Auth",
    "FileSenderClient",
    "GuestAuth",
    "RetryPolicy",
    "SmartxferError",
    "UserAuth",
    "__version__",
]
