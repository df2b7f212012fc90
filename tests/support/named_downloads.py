"""Downloads of files whose names a server chooses, by every service that gives files back."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Callable, ClassVar, Dict, List

from tests.support import filesender_harness as filesender
from tests.support import nrp_harness as nrp
from tests.support import smartfile_harness as smartfile
from tests.support.service_harness import ServiceHarness


class NamedDownloads:
    """A server with files of any names, and a client that fetches them.

    :param harness: where they are.
    :param files: their contents, by name.
    """

    start: ClassVar[Callable[..., ServiceHarness]]
    #: Whether a name may have directories in it.
    nested: ClassVar[bool] = True
    #: Whether a file is put under the last part of its name only.
    flat: ClassVar[bool] = False

    def __init__(self, harness: Any, files: Dict[str, bytes]) -> None:
        self.harness = harness
        self.client = harness.client()
        self.plant(files)

    def plant(self, files: Dict[str, bytes]) -> None:
        """Put files there."""
        raise NotImplementedError

    def fetch(self) -> List[Path]:
        """Fetch all of them; where they are now, in their order on the server."""
        raise NotImplementedError


class FileSenderDownloads(NamedDownloads):
    start = partial(filesender.FileSenderHarness, any_name=True, ban_extension="", max_transfer_files=100)

    def plant(self, files: Dict[str, bytes]) -> None:
        self.token = publish(self.harness, files)

    def fetch(self) -> List[Path]:
        return [result.path for result in self.client.download_files(self.token, self.harness.out)]


def publish(harness: Any, files: Dict[str, bytes]) -> str:
    """Make a transfer whose files have these names; its token."""
    return str(filesender.publish(harness.client(), files).token)


class NRPDownloads(NamedDownloads):
    # A hostile server may serve any key; a real InvenioRDM has no route for line breaks.
    start = partial(nrp.NRPHarness, any_key=True)

    def plant(self, files: Dict[str, bytes]) -> None:
        self.record = self.harness.site.create()
        for key, data in files.items():
            self.harness.site.plant(self.record, key, data)

    def fetch(self) -> List[Path]:
        return [result.path for result in self.client.files.download_many(self.record, self.harness.out)]


class NRPSingleDownloads(NRPDownloads):
    """One after the other."""

    flat = True

    def fetch(self) -> List[Path]:
        self.harness.out.mkdir(exist_ok=True)
        found = self.client.files.list(self.record)
        return [self.client.files.download(file, self.harness.out) for file in found]


class SmartFileDownloads(NamedDownloads):
    start = smartfile.SmartFileHarness
    nested = False

    def plant(self, files: Dict[str, bytes]) -> None:
        for name, data in files.items():
            self.harness.site.plant("/d", name, data)

    def fetch(self) -> List[Path]:
        return [result.path for result in self.client.download_tree("/d", self.harness.out)]


class SmartFileSingleDownloads(SmartFileDownloads):
    """One after the other."""

    flat = True

    def fetch(self) -> List[Path]:
        self.harness.out.mkdir(exist_ok=True)
        return [self.client.download(file, self.harness.out).path for file in self.client.listdir("/d")]


#: Every way of fetching such files, by its name.
DOWNLOADS: Dict[str, Any] = {
    "filesender": FileSenderDownloads, "nrp": NRPDownloads, "nrp-single": NRPSingleDownloads,
    "smartfile": SmartFileDownloads, "smartfile-single": SmartFileSingleDownloads,
}
