"""NRP and Invenio repositories, as the contract suite sees them: each upload goes into a draft of its own."""

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Union
from unittest import mock

import attrs

from smartxfer.local import LocalServer
from smartxfer.nrp import RepositoryClient, get_client, transfer_modes
from smartxfer.transfer import FileResult, ProgressEvent
from tests.support.contract.service import Service

#: What the repository asks of every record.
METADATA = {
    "title": "Reads of a run",
    "resource_type": {"id": "dataset"},
    "publication_date": "2026-11-20",
    "publisher": "P",
    "creators": [{"person_or_org": {"type": "personal", "family_name": "Doe", "given_name": "Jo"}}],
}


@attrs.frozen
class Sent:
    """An upload, with enough data to download it again.

    :param record: id of the draft.
    """

    record: str
    results: List[FileResult]


class _Draft:
    """The address of a draft that is made when it is first asked for: not before an upload knows what to send."""

    def __init__(self, client: RepositoryClient) -> None:
        self._client = client
        self.id: Optional[str] = None

    def __str__(self) -> str:
        if self.id is None:
            self.id = self._client.records.create({"metadata": METADATA, "files": {"enabled": True}}).id
        return f"{self._client.repository.links.api}/records/{self.id}/draft"


class Nrp(Service):
    """NRP: the files of a record, in parts; an empty one is one request."""

    name = "nrp"
    secret_name = "token"
    cannot: Dict[str, str] = {
        "any file name": "protocols/nrp 5: some keys cannot be addressed afterwards",
        "accents composed": "protocols/nrp 5: a key is hardly checked, and stays what it is",
    }
    #: Options of the local server: its own storage knows no ranges, a proxy before it does. A hostile
    #: server may serve any key.
    site_options: Dict[str, Any] = {"storage": "proxy", "rate_limit": 100_000, "any_key": True}
    part_request = "PUT /api/records/*/content*"
    bytes_request = "GET /api/records/*/content"
    create_request = "POST /api/records"
    probes = 1

    def __init__(self, server: LocalServer) -> None:
        super().__init__(server)
        #: The draft of an interrupted upload; the call that resumes it names the draft again.
        self._broken: Optional[str] = None

    def parts(self, size: int) -> int:
        """Requests that carry a file of this size up."""
        return max(1, -(-size // self.chunk))

    def client(self, **options: Any) -> RepositoryClient:
        """A client of its own, as a new process would make it."""
        return get_client(self.site.url, token=self.site.token, **options)

    def upload(
        self, client: RepositoryClient, things: List[Any], *, resume: bool = True, **options: Any
    ) -> Sent:
        """Send; what comes back is enough to fetch it again."""
        draft = _Draft(client)
        draft.id = self._broken if resume else None
        try:
            # The bound is S3's; what the suite moves about is smaller, and the local storage takes it.
            with mock.patch.object(transfer_modes, "MIN_PART_SIZE", self.chunk):
                files = client.files.upload_many(draft, things, part_size=self.chunk, **options)
        except BaseException:
            self._broken = draft.id
            raise
        self._broken = None
        assert draft.id is not None
        return Sent(draft.id, [file.result for file in files if file.result is not None])

    def results(self, handle: Sent) -> List[FileResult]:
        """Return the result of each file of an upload."""
        return handle.results

    def download(
        self, client: RepositoryClient, handle: Union[Sent, str], into: Path, **options: Any
    ) -> List[FileResult]:
        """Fetch all of it into a directory."""
        record = handle.record if isinstance(handle, Sent) else handle
        return client.files.download_many(record, into, **options)

    def download_to(self, client: RepositoryClient, handle: Sent, sink: Any) -> FileResult:
        """Fetch the only file into a sink; of what became of it the client tells by events alone."""
        [file] = client.files.list(handle.record)
        events: List[ProgressEvent] = []
        wrote = client.files.download(file, sink, progress=events.append)
        return FileResult(file.key, wrote if isinstance(wrote, Path) else None, events[-1].done, verified="md5")

    def stranger(self, secret: str) -> RepositoryClient:
        """A client whose secret is wrong."""
        return get_client(self.site.url, token=secret)

    def plant(self, files: Mapping[str, bytes]) -> Sent:
        """Have the server hold files, of names too that our own client would not send; the handle to them."""
        record = self.site.create()
        for name, data in files.items():
            self.site.plant(record, name, data)
        return Sent(record, [])

    def stored(self) -> Dict[str, bytes]:
        """Return the content of complete uploads on the server, by name."""
        return {
            key: self.site.read(record, key) for record in self.site.drafts() for key in self.site.files(record)
        }
