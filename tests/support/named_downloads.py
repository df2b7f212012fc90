"""Downloads of files by every service that gives files back; a server may choose any names."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Callable, ClassVar, Dict, List, Optional

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
    #: The requests for content.
    content: ClassVar[str]
    #: Whether the server sends ranges.
    ranges: ClassVar[bool] = True
    #: What a result says of a file whose bytes were compared.
    verified: ClassVar[str] = "size"
    #: Options of a site that does not know ranges.
    unranged: ClassVar[Dict[str, Any]] = {}
    #: Whether a name may have directories in it.
    nested: ClassVar[bool] = True
    #: Whether a file is put under the last part of its name only.
    flat: ClassVar[bool] = False

    def __init__(self, harness: Any, files: Optional[Dict[str, bytes]] = None) -> None:
        self.harness = harness
        self.client = harness.client()
        if files:
            self.plant(files)

    def plant(self, files: Dict[str, bytes]) -> None:
        """Put files there."""
        raise NotImplementedError

    def results(self, client: Any = None, **options: Any) -> List[Any]:
        """Fetch all of them; the results, in the order on the server."""
        raise NotImplementedError

    def fetch(self) -> List[Path]:
        """Fetch all of them; where they are now."""
        return [result.path for result in self.results()]


class FileSenderDownloads(NamedDownloads):
    start = partial(filesender.FileSenderHarness, any_name=True, ban_extension="", max_transfer_files=100)
    content = filesender.DOWNLOAD
    unranged = {"plain_ranges": True}

    def plant(self, files: Dict[str, bytes]) -> None:
        self.token = publish(self.harness, files)

    def results(self, client: Any = None, **options: Any) -> List[Any]:
        return list((client or self.client).download_files(self.token, self.harness.out, **options))


def publish(harness: Any, files: Dict[str, bytes]) -> str:
    """Make a transfer whose files have these names; its token."""
    return str(filesender.publish(harness.client(), files).token)


class NRPDownloads(NamedDownloads):
    # A hostile server may serve any key; a real InvenioRDM has no route for line breaks.
    start = partial(nrp.NRPHarness, any_key=True)
    content = nrp.DOWNLOAD
    verified = "md5"

    def plant(self, files: Dict[str, bytes]) -> None:
        self.record = self.harness.site.create()
        for key, data in files.items():
            self.harness.site.plant(self.record, key, data)

    def results(self, client: Any = None, **options: Any) -> List[Any]:
        return list((client or self.client).files.download_many(self.record, self.harness.out, **options))


class NRPSingleDownloads(NRPDownloads):
    """One after the other."""

    flat = True

    def fetch(self) -> List[Path]:
        self.harness.out.mkdir(exist_ok=True)
        found = self.client.files.list(self.record)
        return [self.client.files.download(file, self.harness.out) for file in found]


class NRPLocalDownloads(NRPDownloads):
    """From a repository that knows no ranges."""

    start = partial(nrp.NRPHarness, storage="local")
    ranges = False


class NRPProxyDownloads(NRPDownloads):
    """From a repository that hands on what its storage sends."""

    start = partial(nrp.NRPHarness, storage="proxy")


class NRPStorageDownloads(NRPDownloads):
    """From a storage at another origin."""

    start = partial(nrp.NRPHarness, storage="s3")
    content = nrp.STORAGE_GET


class SmartFileDownloads(NamedDownloads):
    start = smartfile.SmartFileHarness
    content = smartfile.DOWNLOAD
    unranged = {"ranges": False}
    nested = False

    def plant(self, files: Dict[str, bytes]) -> None:
        for name, data in files.items():
            self.harness.site.plant("/d", name, data)

    def results(self, client: Any = None, **options: Any) -> List[Any]:
        return list((client or self.client).download_tree("/d", self.harness.out, **options))


class SmartFileSingleDownloads(SmartFileDownloads):
    """One after the other."""

    flat = True

    def results(self, client: Any = None, **options: Any) -> List[Any]:
        self.harness.out.mkdir(exist_ok=True)
        api = client or self.client
        return [api.download(file, self.harness.out, **options) for file in api.listdir("/d")]


#: Every way of fetching such files, by its name.
DOWNLOADS: Dict[str, Any] = {
    "filesender": FileSenderDownloads, "nrp": NRPDownloads, "nrp-single": NRPSingleDownloads,
    "smartfile": SmartFileDownloads, "smartfile-single": SmartFileSingleDownloads,
}
