"""Uploads of every service, as tests of the files that are sent see them; and what can happen to such a file."""

from __future__ import annotations

import hashlib
import importlib
import os
import threading
from functools import partial
from pathlib import Path
from typing import Any, Callable, ClassVar, Dict, List

import pytest

from smartxfer.errors import SourceChanged
from tests.support import filesender_harness as filesender
from tests.support import nrp_harness as nrp
from tests.support import perseus_harness as perseus
from tests.support import smartfile_harness as smartfile
from tests.support.service_harness import MIB, ServiceHarness

PART = 5 * MIB


class Uploads:
    """Sends files to one service.

    :param harness: the server that takes them.
    """

    service: ClassVar[str]
    start: ClassVar[Callable[..., ServiceHarness]]
    #: The requests that carry content.
    content: ClassVar[str]
    #: Those for small files of a directory.
    small: ClassVar[str] = ""
    #: Whether an empty file has such a request.
    sends_empty: ClassVar[bool] = True
    #: Whether the service has stored a file by the time at which the client finds that it has changed.
    stores_at_once: ClassVar[bool] = False
    #: The prefix of the name of a file of a directory in results and events.
    prefix: ClassVar[str] = ""
    #: The request that announces files: there is one for a directory.
    announcement: ClassVar[str] = ""
    #: Whether files of a batch are complete each for itself.
    separate: ClassVar[bool] = True

    def __init__(self, harness: Any) -> None:
        self.harness = harness
        self.client = harness.client()
        self.one_at_a_time = self._one_at_a_time()

    @property
    def changed(self) -> Any:
        """The error of a file that changed."""
        return importlib.import_module(f"smartxfer.{self.service}.errors").ERRORS.class_for(SourceChanged)

    def _one_at_a_time(self) -> Any:
        return self.harness.client(max_workers=1)

    def send(self, source: Any, client: Any = None, **options: Any) -> Any:
        """Send a file."""
        raise NotImplementedError

    def send_directory(self, directory: Path, client: Any = None, **options: Any) -> Any:
        """Send the files of a directory."""
        raise NotImplementedError

    def complete(self) -> Dict[str, bytes]:
        """The files that the server holds and shows as complete, by the last part of their names."""
        raise NotImplementedError

    def check_withdrawn(self) -> None:
        """Check that a file that changed during its upload will never be complete."""

    def check_stream(self, result: Any, data: bytes) -> None:
        """Check the result of the upload of a stream."""


class FileSenderUploads(Uploads):
    service = "filesender"
    start = partial(filesender.FileSenderHarness, max_transfer_files=200)
    content = filesender.CHUNK
    sends_empty = False
    prefix = "many/"
    separate = False
    announcement = filesender.CREATE

    def _one_at_a_time(self) -> Any:
        return self.harness.client(concurrent_chunks=1)

    def send(self, source: Any, client: Any = None, **options: Any) -> Any:
        return (client or self.client).upload_workflow([source], link=True, **options)

    def send_directory(self, directory: Path, client: Any = None, **options: Any) -> Any:
        return self.send(directory, client, **options)

    def complete(self) -> Dict[str, bytes]:
        if not self.harness.site.transfers() or self.harness.status != "available":
            return {}
        return {Path(name).name: data for name, data in self.harness.stored().items()}

    def check_withdrawn(self) -> None:
        assert self.harness.site.transfers() == []


class SmartFileUploads(Uploads):
    service = "smartfile"
    start = smartfile.SmartFileHarness
    content = smartfile.UPLOAD
    stores_at_once = True
    prefix = "/many/"

    def send(self, source: Any, client: Any = None, **options: Any) -> Any:
        return (client or self.client).upload(source, **options)

    def send_directory(self, directory: Path, client: Any = None, **options: Any) -> Any:
        return (client or self.client).upload_tree(directory, "/many", **options)

    def complete(self) -> Dict[str, bytes]:
        return {Path(name).name: data for name, data in self.harness.stored().items()}


class NRPUploads(Uploads):
    service = "nrp"
    start = partial(nrp.NRPHarness, max_files=2000)
    content = nrp.CONTENT
    announcement = nrp.INIT

    def __init__(self, harness: Any) -> None:
        super().__init__(harness)
        self.record = harness.site.create()
        self.options: Dict[str, Any] = {}

    def send(self, source: Any, client: Any = None, **options: Any) -> Any:
        name, data = source if isinstance(source, tuple) else (Path(source).name, source)
        settings = {**self.options, **options}
        return (client or self.client).files.upload(self.record, name, None, data, **settings)

    def send_directory(self, directory: Path, client: Any = None, **options: Any) -> Any:
        return (client or self.client).files.upload_many(self.record, sorted(directory.iterdir()), **options)

    def complete(self) -> Dict[str, bytes]:
        return {key: self.harness.site.read(self.record, key) for key in self.harness.site.files(self.record)}

    def check_withdrawn(self) -> None:
        assert self.harness.count(nrp.COMMIT, 200) == 0

    def check_stream(self, result: Any, data: bytes) -> None:
        assert (result.result.bytes, result.result.verified) == (len(data), "md5")


class NRPPartUploads(NRPUploads):
    """By parts of the least size, where a file is larger than that."""

    content = nrp.PART
    small = nrp.CONTENT
    sends_empty = False

    def __init__(self, harness: Any) -> None:
        super().__init__(harness)
        self.options = {"transfer_type": "multipart", "part_size": PART}

    def check_stream(self, result: Any, data: bytes) -> None:
        assert result.result.bytes == len(data)


class PerseusUploads(Uploads):
    service = "perseus"
    start = perseus.PerseusHarness
    content = perseus.PUT

    def send(self, source: Any, client: Any = None, **options: Any) -> Any:
        return (client or self.client).file.upload_file(source, **options)

    def send_directory(self, directory: Path, client: Any = None, **options: Any) -> Any:
        return (client or self.client).file.upload_many(sorted(directory.iterdir()), **options)

    def complete(self) -> Dict[str, bytes]:
        held: Dict[str, bytes] = self.harness.held()
        assert len(held) == len(self.harness.site.records()), "a record that will never be completed"
        return held

    def check_stream(self, result: Any, data: bytes) -> None:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        assert (result.result.bytes, result.result.digest) == (len(data), digest)
        assert {head["content-length"] for head in self.harness.heads(self.content)} == {str(len(data))}
        assert all("transfer-encoding" not in head for head in self.harness.heads(self.content))


#: Every way of sending a file, by its name.
UPLOADS: Dict[str, Any] = {
    "filesender": FileSenderUploads,
    "smartfile": SmartFileUploads,
    "nrp": NRPUploads,
    "nrp-parts": NRPPartUploads,
    "perseus": PerseusUploads,
}


def append(path: Path) -> None:
    """Add to a file."""
    with open(path, "ab") as file:
        file.write(b"more")


def truncate(path: Path) -> None:
    """Cut a file."""
    os.truncate(str(path), 65536)


def replace(path: Path) -> None:
    """Put another file of the same content, size and time in its place."""
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    found = path.stat()
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    os.replace(other, path)


def rewrite(path: Path) -> None:
    """Write over the beginning of a file."""
    with open(path, "r+b") as file:
        file.write(b"other")


def remove(path: Path) -> None:
    """Remove a file."""
    path.unlink()


CHANGES: List[Callable[[Path], None]] = [append, truncate, replace, rewrite, remove]


def lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a file unreadable, for root as well."""
    real = os.open

    def open_(name: Any, *args: Any, **kwargs: Any) -> int:
        if str(name) == str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return real(name, *args, **kwargs)

    monkeypatch.setattr("smartxfer.transfer.source.os.open", open_)


def client_threads() -> List[str]:
    """The names of the threads of smartxfer that run."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("smartxfer")]
