"""JetStream, as the contract suite sees it: the servers move the files, the client says which."""

import os
import shutil
from pathlib import Path
from typing import Any, Dict, List

import attrs

from smartxfer.jetstream import API, Transfer
from smartxfer.local import LocalServer
from smartxfer.transfer import FileResult
from tests.support.contract.service import UploadService

_WHY = "protocols/jetstream 2: an API client never carries file bytes"


@attrs.frozen
class Sent:
    """An upload.

    :param transfer: as it ended.
    :param sizes: bytes of each file by its name.
    """

    transfer: Transfer
    sizes: Dict[str, int]


class _Client(API):
    """One that is connected by its first call, not before."""

    def __enter__(self) -> "_Client":
        return self


class JetStream(UploadService):
    """JetStream: files on the host of one server are sent to another server."""

    name = "jetstream"
    secret_name = "password"
    cannot: Dict[str, str] = dict.fromkeys(
        (
            "upload", "download", "server digest", "upload resumes after a restart",
            "directory upload resumes after a restart", "download resumes after a restart",
            "parallel parts up", "parallel ranges down", "directories", "several files at once",
            "any list of files", "any file name", "nothing of a changed source stays", "accents composed",
        ),
        _WHY,
    )
    #: Tests that need no bytes of the client: files on the host of the server are sent instead.
    asked = frozenset(
        {
            "test_what_is_stored_is_what_was_sent", "test_each_part_goes_once",
            "test_what_cannot_be_sent_is_said_before_anything_is", "test_a_callback_that_raises_cancels",
            "test_a_cancel_that_is_set_already_sends_nothing",
            "test_a_cancel_ends_a_dead_line_within_two_seconds", "test_a_deadline",
            "test_an_error_is_typed_and_tells", "test_a_wrong_secret_is_shown_nowhere",
            "test_a_server_that_is_not_there", "test_a_client_is_not_pickled",
        }
    )
    #: The request that lasts as long as a transfer.
    part_request = "POST /jsonrpc/send.waitForTransfer"
    create_request = "POST /jsonrpc/send.createTransfer"

    def __init__(self, server: LocalServer) -> None:
        super().__init__(server)
        self._to = ("127.0.0.1", server.jetstream_peer.port)

    def client(self, **options: Any) -> API:
        """A client of its own, as a new process would make it."""
        return _Client(self.site.url, user=self.site.user, password=self.site.password, **options)

    def stranger(self, secret: str) -> API:
        """A client whose secret is wrong."""
        return _Client(self.site.url, user=self.site.user, password=secret)

    def upload(self, client: API, things: List[Any], **options: Any) -> Sent:
        """Write files on the host of the server, and have it send them; other sources are passed on unchanged."""
        sizes = {one.name: one.stat().st_size for one in things if isinstance(one, Path)}
        for one in things:
            if isinstance(one, Path) and os.path.isdir(self.site.root):  # gone with a server that is stopped
                shutil.copyfile(one, os.path.join(self.site.root, one.name))
        named = ["/" + one.name if isinstance(one, Path) else one for one in things]
        return Sent(client.send_files(named, self._to, **options), sizes)

    def results(self, handle: Sent) -> List[FileResult]:
        """Return the result of each file."""
        return [FileResult(name=name, bytes=size) for name, size in handle.sizes.items()]

    def stored(self) -> Dict[str, bytes]:
        """Return the content of the files that arrived, by name."""
        peer = self.server.jetstream_peer
        return {path[1:]: peer.read(path) for path in peer.files()}
