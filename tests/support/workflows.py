"""The workflows of every service, and the requests in them that a fault can meet.

What all services have in common is tested once for each step; a service that is added needs its workflows here.
"""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any, Callable, ClassVar, List, Mapping, Optional, Tuple, Type

import attrs

from smartxfer.errors import Forbidden, SmartxferError, StorageError
from tests.support import filesender_harness as filesender
from tests.support import jetstream_harness as jetstream
from tests.support import nrp_harness as nrp
from tests.support import perseus_harness as perseus
from tests.support import smartfile_harness as smartfile
from tests.support.filesender_harness import noise
from tests.support.service_harness import ServiceHarness

DATA = noise(2 * filesender.CHUNK_SIZE + 1)
SMALL = noise(1000)


class Workflow:
    """A workflow of a user with a service, and the check of its result.

    :param harness: where it takes place.
    """

    start: ClassVar[Callable[..., ServiceHarness]]
    #: Whether one server may serve many tests: what one has left does not change what the others see.
    shared: ClassVar[bool] = True

    def __init__(self, harness: Any) -> None:
        self.harness = harness
        self.prepare()

    def prepare(self) -> None:
        """Make what the workflow needs."""

    def run(self, **options: Any) -> Any:
        """Carry it out.

        :param options: of the client.
        """
        raise NotImplementedError

    def check(self) -> None:
        """See that it succeeded."""

    def check_nothing(self) -> None:
        """See that a run that failed has left nothing that looks complete."""

    def retries(self, result: Any) -> Optional[int]:
        """Return the number of repeated attempts, if the result has it."""
        return None


class FileSenderUpload(Workflow):
    start = filesender.FileSenderHarness
    shared = False

    def run(self, **options: Any) -> Any:
        path = self.harness.directory / "a.bin"
        if not path.exists():
            path.write_bytes(DATA)  # once: another time of change would be another file
        return self.harness.client(concurrent_chunks=1, **options).upload_workflow([path], link=True)

    def check(self) -> None:
        assert self.harness.stored()["a.bin"] == DATA
        assert self.harness.count(filesender.CREATE, 201) == 1

    def check_nothing(self) -> None:
        assert "available" not in [transfer["status"] for transfer in self.harness.site.transfers()]

    def retries(self, result: Any) -> Optional[int]:
        return int(result.results[0].retries)


class FileSenderDownload(Workflow):
    start = filesender.FileSenderHarness
    shared = False

    def prepare(self) -> None:
        self.transfer = self.harness.published(DATA)

    def run(self, **options: Any) -> Any:
        return self.harness.client(**options).download_files(self.transfer.token, self.harness.out)

    def check(self) -> None:
        assert (self.harness.out / "a.bin").read_bytes() == DATA

    def check_nothing(self) -> None:
        assert "a.bin" not in self.harness.left()

    def retries(self, result: Any) -> Optional[int]:
        return int(result[0].retries)


class SmartFileCall(Workflow):
    """One call of a client of SmartFile, whose server has a file ``/a``."""

    start = partial(smartfile.SmartFileHarness, files={"/a": b"data"})
    shared = False
    call: ClassVar[Callable[[Any], Any]]

    def run(self, **options: Any) -> Any:
        return type(self).call(self.harness.client(**options))

    def check_nothing(self) -> None:
        assert self.harness.stored() == {"/a": b"data"}


class SmartFileLink(SmartFileCall):
    """The removal of a link."""

    def prepare(self) -> None:
        self.link = self.harness.client().create_link("/a")

    def run(self, **options: Any) -> Any:
        return self.harness.client(**options).delete("/link", self.link.uid)

    def check(self) -> None:
        assert self.harness.site.links() == []

    def check_nothing(self) -> None:
        assert len(self.harness.site.links()) == 1


def _smartfile(call: Callable[[Any], Any]) -> Type[Workflow]:
    return type("SmartFileCall", (SmartFileCall,), {"call": staticmethod(call)})


class NRPUpload(Workflow):
    start = nrp.NRPHarness

    def prepare(self) -> None:
        self.record = self.harness.site.create()
        self.path = self.harness.file(DATA)

    def run(self, **options: Any) -> Any:
        return self.harness.client(**options).files.upload(self.record, "a.bin", None, self.path)

    def check(self) -> None:
        assert self.harness.site.read(self.record, "a.bin") == DATA

    def check_nothing(self) -> None:
        assert self.harness.site.files(self.record) == {}

    def retries(self, result: Any) -> Optional[int]:
        return int(result.result.retries)


class NRPDownload(Workflow):
    start = partial(nrp.NRPHarness, storage="local")

    def prepare(self) -> None:
        self.record = self.harness.record(SMALL, published=True)

    def run(self, **options: Any) -> Any:
        return self.harness.client(**options).files.download_many(self.record, self.harness.out)

    def check(self) -> None:
        assert (self.harness.out / "a.bin").read_bytes() == SMALL

    def check_nothing(self) -> None:
        assert self.harness.left() == []

    def retries(self, result: Any) -> Optional[int]:
        return int(result[0].retries)


class NRPStorageDownload(NRPDownload):
    start = partial(nrp.NRPHarness, storage="s3")


class PerseusUpload(Workflow):
    start = perseus.PerseusHarness

    def run(self, **options: Any) -> Any:
        return self.harness.client(**options).file.upload_file(("a.bin", SMALL))

    def check(self) -> None:
        assert self.harness.held() == {"a.bin": SMALL}

    def check_nothing(self) -> None:
        assert self.harness.site.records() == []


class JetStreamCalls(Workflow):
    """A call that reads, and one that creates."""

    start = partial(jetstream.JetStreamHarness, files={"/a.bin": jetstream.DATA})

    def prepare(self) -> None:
        self.before = len(self.harness.held("manifests"))

    def run(self, **options: Any) -> Any:
        api = self.harness.client(**options)
        api.send.getTransfers()
        api.send.createManifest({"/a.bin": "/a.bin"})

    def check(self) -> None:
        assert len(self.harness.held("manifests")) == self.before + 1
        assert self.harness.count(jetstream.on("auth")) >= 1

    def check_nothing(self) -> None:
        assert len(self.harness.held("manifests")) == self.before


@attrs.frozen
class Step:
    """One request of a workflow, at which a fault is planned.

    :param match: of the request.
    :param repeated: statuses after which the request is made again.
    :param counted: whether the result counts the tries of this request.
    :param words: an answer that says why the server fails, and what of it the error must say.
    :param storage: whether a storage gives the answer, whose errors have a class of their own.
    :param special: statuses with a meaning of their own, which the tests of the service try.
    :param kinds: classes of errors by status, where they are not those of most services.
    :param own_tries: whether refusals are counted otherwise than by the retry policy.
    """

    service: str
    name: str
    workflow: Type[Workflow]
    match: str
    repeated: Tuple[int, ...] = (500, 502, 504)
    counted: bool = False
    words: Tuple[str, str] = ("500 body=json:disk_is_gone", "disk_is_gone")
    storage: bool = False
    special: Tuple[int, ...] = ()
    kinds: Mapping[int, Any] = attrs.field(factory=dict)
    own_tries: bool = False

    def error(self, kind: Type[SmartxferError], status: int = 0) -> Type[SmartxferError]:
        """The class of the error for an answer that has this class elsewhere."""
        return self.family.class_for(StorageError if self.storage else self.kinds.get(status, kind))  # type: ignore[no-any-return]

    @property
    def family(self) -> Any:
        """The errors of the service."""
        return importlib.import_module(f"smartxfer.{self.service}.errors").ERRORS

    def __str__(self) -> str:
        return f"{self.service}-{self.name}"


_OWN_WORDS = ("503 body=json:undergoing_maintenance", "undergoing_maintenance")
_perseus = partial(Step, "perseus", kinds={402: Forbidden})
_filesender = partial(Step, "filesender", words=_OWN_WORDS)

STEPS: List[Step] = [
    _filesender("create", FileSenderUpload, filesender.CREATE, repeated=()),
    _filesender("chunk", FileSenderUpload, filesender.CHUNK, counted=True),
    _filesender("complete", FileSenderUpload, filesender.COMPLETE),
    _filesender("download", FileSenderDownload, filesender.DOWNLOAD, counted=True),
    Step("smartfile", "upload", _smartfile(lambda api: api.upload(("b", b"1"))), smartfile.UPLOAD),
    Step("smartfile", "info", _smartfile(lambda api: api.stat("/a")), smartfile.INFO),
    Step("smartfile", "data", _smartfile(lambda api: api.get("/path/data/a").close()), smartfile.DOWNLOAD),
    Step(
        "smartfile", "move", _smartfile(lambda api: api.move("/a", "/c")), "POST /api/2/path/oper/move/", repeated=()
    ),
    Step(
        "smartfile",
        "mkdir",
        _smartfile(lambda api: api.post("/path/oper/mkdir/", path="/d")),
        "POST /api/2/path/oper/mkdir/",
        repeated=(),
    ),
    Step("smartfile", "link", SmartFileLink, "DELETE /api/2/link/*"),
    Step("nrp", "init", NRPUpload, nrp.INIT, repeated=()),
    Step("nrp", "content", NRPUpload, nrp.CONTENT, counted=True),
    Step("nrp", "commit", NRPUpload, nrp.COMMIT, own_tries=True),
    Step("nrp", "list", NRPDownload, nrp.LIST, special=(403, 404, 410)),
    Step("nrp", "download", NRPDownload, nrp.DOWNLOAD, counted=True),
    Step("nrp", "storage", NRPStorageDownload, nrp.STORAGE_GET, counted=True, special=(400, 401, 403)),
    _perseus("find", PerseusUpload, perseus.FIND),
    _perseus("create", PerseusUpload, perseus.CREATE, repeated=(), special=(409, 412)),
    _perseus("put", PerseusUpload, perseus.PUT, storage=True),
    Step("jetstream", "list", JetStreamCalls, jetstream.on("send.getTransfers")),
    Step("jetstream", "create", JetStreamCalls, jetstream.on("send.createManifest"), repeated=()),
]
