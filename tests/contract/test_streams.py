"""Real pipes, standard sinks, and secrets that stay secret."""

from __future__ import annotations

import logging
import os
import pickle
import threading
import traceback
from pathlib import Path
from typing import Any, Callable

import pytest

from smartxfer import RetryPolicy
from smartxfer.errors import NetworkError, SmartxferError
from tests.support.service_harness import piped

Make = Callable[[str, int], Path]
SECRET = "stranger-5ecret-0123456789abcdef"


def test_a_pipe(service: Any) -> None:
    data = os.urandom(9 * 1024 * 1024)
    with piped(data) as pipe, service.client() as client:
        service.upload(client, [("piped.bin", pipe)])
        assert not pipe.closed
    assert service.stored() == {"piped.bin": data}


def test_an_open_file_is_sent_from_its_position(service: Any, make: Make) -> None:
    path = make("reads.fastq", 2 * service.chunk)
    with path.open("rb") as file, service.client() as client:
        file.seek(1000)
        service.upload(client, [file])
        assert not file.closed
    assert service.stored() == {"reads.fastq": path.read_bytes()[1000:]}


def test_a_pipe_takes_a_download(service: Any) -> None:
    data = os.urandom(3 * service.chunk)
    handle = service.plant({"reads.fastq": data})
    reading, writing = os.pipe()
    got = []

    def drain() -> None:
        with os.fdopen(reading, "rb") as file:
            got.append(file.read())

    drainer = threading.Thread(target=drain)
    drainer.start()
    with os.fdopen(writing, "wb") as pipe, service.client() as client:
        result = service.download_to(client, handle, pipe)
    drainer.join()
    assert got == [data]
    assert (result.path, result.bytes) == (None, len(data))


def test_a_wrong_secret_is_shown_nowhere(service: Any, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = service.stranger(SECRET)
    with client, pytest.raises(SmartxferError) as caught:
        service.upload(client, [make("reads.fastq", 1000)])
    error = caught.value
    assert error.hint
    shown = [
        repr(client),
        repr(error),
        str(error),
        "".join(traceback.format_exception(type(error), error, error.__traceback__)),
        caplog.text,
        repr(client.explain_credentials()),
        pickle.dumps(error).decode("latin-1"),
    ]
    assert [text for text in shown if SECRET in text] == []
    assert service.stored() == {}


def test_a_server_that_is_not_there(service: Any, make: Make) -> None:
    client = service.client(retry=RetryPolicy(backoff=0))
    service.server.stop()
    with client, pytest.raises(NetworkError) as caught:
        service.upload(client, [make("reads.fastq", 1000)])
    assert not isinstance(caught.value, OSError)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), str(copy)) == (type(caught.value), str(caught.value))
