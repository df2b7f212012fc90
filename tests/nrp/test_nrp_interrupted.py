"""Ctrl-C while a worker thread opens the journal of an upload."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from smartxfer.nrp import upload
from tests.support.nrp_server import NRPServer


def test_a_journal_that_is_still_being_opened_is_released(
    harness: NRPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"ACGT")
    draft = str(harness.site.create())
    client = harness.client()
    closed = threading.Event()
    memory, close = upload.UploadJournal, upload.FileUpload.close

    def interrupted(*arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        assert closed.wait(10), "the calling thread has not closed the upload"
        return memory(*arguments)

    def closing(sending: Any) -> None:
        close(sending)
        closed.set()

    with monkeypatch.context() as patch:
        patch.setattr(upload, "UploadJournal", interrupted)
        patch.setattr(upload.FileUpload, "close", closing)
        with pytest.raises(KeyboardInterrupt):
            client.files.upload(draft, "data.csv", {}, path)
    client.files.upload(draft, "data.csv", {}, path)
    assert harness.site.read(draft, "data.csv") == b"ACGT", "AlreadyInProgress where the lock is still held"
