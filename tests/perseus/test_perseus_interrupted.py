"""Ctrl-C while a worker thread opens the journal of an upload."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from smartxfer.perseus import PerseusClient, upload
from tests.support.perseus_server import PerseusServer


def test_a_journal_that_is_still_being_opened_is_released(
    harness: PerseusServer, live: PerseusClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.txt"
    path.write_bytes(b"ACGT")
    closed = threading.Event()
    journal, close = upload.Journal, upload.FileUpload.close

    def interrupted(*arguments: Any, **options: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        assert closed.wait(10), "the calling thread has not closed the upload"
        return journal(*arguments, **options)

    def closing(sending: upload.FileUpload) -> None:
        close(sending)
        closed.set()

    with monkeypatch.context() as patch:
        patch.setattr(upload, "Journal", interrupted)
        patch.setattr(upload.FileUpload, "close", closing)
        with pytest.raises(KeyboardInterrupt):
            live.file.upload_file(path)
    assert live.file.upload_file(path).result is not None, "AlreadyInProgress where the lock is still held"
    assert harness.calls == ["find", "create", "put"]
