"""Client of NRP and InvenioRDM repositories: records and their files.

Source: NRP / Invenio protocol.
"""

from typing import TYPE_CHECKING

from smartxfer.lazy_imports import build_lazy_module_hooks

if TYPE_CHECKING:
    from smartxfer.nrp.client import RepositoryClient, get_client
    from smartxfer.nrp.errors import (
        DoesNotExistError,
        InvalidDraft,
        RepositoryClientError,
        RepositoryCommunicationError,
        RepositoryError,
        ReviewRequired,
        StructureError,
        UploadNotStored,
    )
    from smartxfer.nrp.limits import limit_connections
    from smartxfer.nrp.models import File, FileLinks, FileStatus
    from smartxfer.nrp.pages import RecordList
    from smartxfer.nrp.record_models import DraftWarning, Identity, Record, RepositoryInfo
    from smartxfer.nrp.repository_config import Config, RepositoryConfig
    from smartxfer.nrp.search_verbs import RecordStatus
    from smartxfer.nrp.streams import FileSink, FileSource, MemorySink, MemorySource, StandardInput

__all__ = [
    "Config",
    "DoesNotExistError",
    "DraftWarning",
    "File",
    "FileLinks",
    "FileSink",
    "FileSource",
    "FileStatus",
    "Identity",
    "InvalidDraft",
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
    "UploadNotStored",
    "get_client",
    "limit_connections",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = build_lazy_module_hooks(
        __name__,
        {
            "client": "RepositoryClient get_client",
            "errors": "DoesNotExistError InvalidDraft RepositoryClientError "
            "RepositoryCommunicationError RepositoryError ReviewRequired StructureError "
            "UploadNotStored",
            "limits": "limit_connections",
            "models": "File FileLinks FileStatus",
            "pages": "RecordList",
            "record_models": "DraftWarning Identity Record RepositoryInfo",
            "repository_config": "Config RepositoryConfig",
            "search_verbs": "RecordStatus",
            "streams": "FileSink FileSource MemorySink MemorySource StandardInput",
        },
    )
