"""NRP and InvenioRDM repositories: records, and the files in them.

Source: NRP / Invenio protocol.
"""

from typing import TYPE_CHECKING

from smartxfer.lazy_names import lazy_names

if TYPE_CHECKING:
    from smartxfer.nrp.client import RepositoryClient, get_client
    from smartxfer.nrp.configuration import Config, RepositoryConfig
    from smartxfer.nrp.errors import (
        DoesNotExistError,
        DraftInvalid,
        RepositoryClientError,
        RepositoryCommunicationError,
        RepositoryError,
        ReviewRequired,
        StructureError,
        TransferRefused,
    )
    from smartxfer.nrp.limits import limit_connections
    from smartxfer.nrp.models import File, FileLinks, FileStatus
    from smartxfer.nrp.pages import RecordList
    from smartxfer.nrp.record_models import DraftWarning, Identity, Record, RepositoryInfo
    from smartxfer.nrp.search_verbs import RecordStatus
    from smartxfer.nrp.streams import FileSink, FileSource, MemorySink, MemorySource, StandardInput

__all__ = [
    "Config",
    "DoesNotExistError",
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
    "RecordList",
    "RecordStatus",
    "RepositoryClient",
    "RepositoryClientError",
    "RepositoryCommunicationError",
    "RepositoryConfig",
    "RepositoryError",
    "RepositoryInfo",
    "ReviewRequired",
    "StandardInput",
    "StructureError",
    "TransferRefused",
    "get_client",
    "limit_connections",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "client": "RepositoryClient get_client",
            "configuration": "Config RepositoryConfig",
            "errors": "DoesNotExistError DraftInvalid RepositoryClientError "
            "RepositoryCommunicationError RepositoryError ReviewRequired StructureError "
            "TransferRefused",
            "limits": "limit_connections",
            "models": "File FileLinks FileStatus",
            "pages": "RecordList",
            "record_models": "DraftWarning Identity Record RepositoryInfo",
            "search_verbs": "RecordStatus",
            "streams": "FileSink FileSource MemorySink MemorySource StandardInput",
        },
    )
