"""NRP and InvenioRDM repositories: records, and the files in them.

Source: NRP / Invenio protocol.
"""

from smartxfer.nrp.client import RepositoryClient, get_client
from smartxfer.nrp.errors import (
    DraftInvalid,
    RepositoryClientError,
    RepositoryCommunicationError,
    RepositoryError,
    ReviewRequired,
    TransferRefused,
)
from smartxfer.nrp.limits import limit_connections
from smartxfer.nrp.models import File, FileLinks, FileStatus
from smartxfer.nrp.record_models import DraftWarning, Identity, Record, RepositoryInfo
from smartxfer.nrp.streams import FileSink, FileSource, MemorySink, MemorySource, StandardInput

__all__ = [
    "DraftInvalid",
    "DraftWarning",
    "File",
    "FileLinks",
    "FileSink",
    "FileSource",
    "FileStatus",
    "Identity",
    "MemorySink",
    "MemorySource",
    "Record",
    "RepositoryClient",
    "RepositoryClientError",
    "RepositoryCommunicationError",
    "RepositoryError",
    "RepositoryInfo",
    "ReviewRequired",
    "StandardInput",
    "TransferRefused",
    "get_client",
    "limit_connections",
]
