"""The transfer engine: one upload loop and one download loop, which do not depend on a service."""

from smartxfer.transfer.journal import DirectoryStorage, Journal
from smartxfer.transfer.progress import Progress, ProgressEvent
from smartxfer.transfer.protocols import Cancel, ProgressCallback, Sink, Source, Storage
from smartxfer.transfer.result import FileResult, SyncReport, TransferReport
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transfer.sink import FileSink, MemorySink, StreamSink
from smartxfer.transfer.source import BytesSource, OpenFileSource, PathSource

__all__ = [
    "BytesSource",
    "Cancel",
    "DirectoryStorage",
    "FileResult",
    "FileSink",
    "Journal",
    "MemorySink",
    "OpenFileSource",
    "PathSource",
    "Progress",
    "ProgressCallback",
    "ProgressEvent",
    "Sink",
    "Source",
    "Storage",
    "StreamSink",
    "SyncReport",
    "TransferReport",
    "TransferRunner",
]
