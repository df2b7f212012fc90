"""Perseus, as the contract suite sees it: what goes up stays there, for the service gives no content back."""

from typing import Any, Dict, List

import attrs

from smartxfer.perseus import File, PerseusClient
from smartxfer.transfer import FileResult
from tests.support.contract.service import UploadService


@attrs.frozen
class Sent:
    """An upload.

    :param files: the records, in order.
    """

    files: List[File]


class Perseus(UploadService):
    """Perseus: records of files, each with one presigned PUT."""

    name = "perseus"
    secret_name = "api_key"
    cannot: Dict[str, str] = {
        "download": "protocols/perseus A.4: no request gives content back",
        "server digest": "protocols/perseus A.4: no request gives content back",
        "upload resumes after a restart": "protocols/perseus A.5: a file is one PUT, which goes again whole",
        "directory upload resumes after a restart": "protocols/perseus A.4: directories are never sent",
        "download resumes after a restart": "protocols/perseus A.4: no request gives content back",
        "parallel parts up": "protocols/perseus A.5: a file is one PUT",
        "parallel ranges down": "protocols/perseus A.4: no request gives content back",
        "directories": "protocols/perseus A.4: the name is only the base name",
        "any list of files": "protocols/perseus A.4: files are distinguished by content, not by name",
        "any file name": "protocols/perseus A.4: the name is only the base name",
        "accents composed": "protocols/perseus A.3: a name stays what it is",
    }
    part_request = "PUT /storage/*"
    create_request = "POST /api/v0/file"

    def client(self, **options: Any) -> PerseusClient:
        """A client of its own, as a new process would make it."""
        return PerseusClient(self.site.url, api_key=self.site.api_key, **options)

    def upload(self, client: PerseusClient, things: List[Any], **options: Any) -> Sent:
        """Send; what comes back are the records."""
        return Sent(client.file.upload_many(things, **options))

    def results(self, handle: Sent) -> List[FileResult]:
        """Return the result of each file of an upload."""
        return [file.result for file in handle.files if file.result is not None]

    def stranger(self, secret: str) -> PerseusClient:
        """A client whose secret is wrong."""
        return PerseusClient(self.site.url, api_key=secret)

    def stored(self) -> Dict[str, bytes]:
        """Return the content of complete uploads on the server, by name."""
        return {
            record["name"]: self.site.content(record["id"])
            for record in self.site.records()
            if record["status"] == "uploaded"
        }
