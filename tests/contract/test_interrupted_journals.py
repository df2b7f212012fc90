"""Ctrl-C while a worker thread opens the journal of an upload."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Tuple

import pytest

from smartxfer.nrp import upload as nrp_upload
from smartxfer.perseus import upload as perseus_upload
from tests.support.nrp_server import NRPServer
from tests.support.perseus_server import PerseusServer

Send = Callable[[Any, Path], Any]


def _to_a_draft(server: NRPServer) -> Send:
    draft = str(server.site.create())
    return lambda client, path: client.files.upload(draft, path.name, {}, path)


#: By service: the server, the module and its journal, what sends a file.
UPLOADS: Dict[str, Tuple[Any, Any, str, Callable[[Any], Send]]] = {
    "nrp": (NRPServer, nrp_upload, "UploadJournal", _to_a_draft),
    "perseus": (
        PerseusServer,
        perseus_upload,
        "Journal",
        lambda server: lambda c, path: c.file.upload_file(path),
    ),
}


@pytest.mark.parametrize("name", UPLOADS)
def test_a_journal_that_is_still_being_opened_is_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make, module, journal, sends = UPLOADS[name]
    path = tmp_path / "data.csv"
    path.write_bytes(b"ACGT")
    closed = threading.Event()
    real, close = getattr(module, journal), module.FileUpload.close

    def interrupted(*arguments: Any, **options: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        assert closed.wait(10), "the calling thread has not closed the upload"
        return real(*arguments, **options)

    def closing(sending: Any) -> None:
        close(sending)
        closed.set()

    server = make()
    try:
        client, send = server.client(), sends(server)
        with monkeypatch.context() as patch:
            patch.setattr(module, journal, interrupted)
            patch.setattr(module.FileUpload, "close", closing)
            with pytest.raises(KeyboardInterrupt):
                send(client, path)
        assert send(client, path).result.ok, "AlreadyInProgress where the lock is still held"
    finally:
        server.close()
    assert server.server.unfired() == []
