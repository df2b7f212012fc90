"""The engine, step by step, over a server that breaks in every way: hypothesis looks for a broken promise."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Optional

import pytest
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from smartxfer import errors
from tests.support.engine_faults_down import KINDS as DOWNLOAD_KINDS
from tests.support.engine_faults_down import Shape
from tests.support.engine_model import Machine, Step, run_machine, scripts
from tests.support.engine_model_down import DownloadModel
from tests.support.engine_model_up import KINDS as UPLOAD_KINDS
from tests.support.engine_model_up import UploadModel

_BYTE = st.integers(0, 255)


class Uploads(Machine):
    """Runs of one upload, and what happens to its source and at the server between them."""

    @initialize(size=st.integers(0, 79), chunk=st.integers(1, 16), block=st.integers(1, 9))
    def set_up(self, size: int, chunk: int, block: int) -> None:
        self.model = UploadModel(self.directory, bytes(range(1, 80 - size)), chunk, block)
        self.model.say = note

    @rule(script=scripts(UPLOAD_KINDS), deadline=st.sampled_from([None, None, None, None, 0.5, 3.0, 30.0]))
    def run(self, script: Any, deadline: Optional[float]) -> None:
        self.model.run(script, deadline)

    @rule(where=_BYTE)
    def source_changes(self, where: int) -> None:
        self.model.change_source(where)

    @rule(where=_BYTE)
    def server_forgets_a_part(self, where: int) -> None:
        self.model.forget(where)

    @rule()
    def server_forgets_everything(self) -> None:
        self.model.stored.clear()

    @rule()
    def server_restarts(self) -> None:
        self.model.restart()

    @rule(chunk=st.integers(1, 16))
    def chunk_size_changes(self, chunk: int) -> None:
        self.model.chunk = chunk

    @rule(script=scripts(UPLOAD_KINDS))
    def run_beside_another_process(self, script: Any) -> None:
        with contextlib.closing(self.model.journal(self.model.item())):
            self.check_refused(script)

    def teardown(self) -> None:
        if not hasattr(self, "model"):
            return
        self.model.run([])
        if isinstance(self.model.error, errors.IntegrityError):  # the server had forgotten a part
            self.model.run([])
        assert self.model.error is None, self.model.error
        assert self.model.completed[self.model.number] == self.model.data


@pytest.mark.timeout(3600)  # of the thorough profile
def test_uploads(tmp_path: Path) -> None:
    run_machine(Uploads, tmp_path)


# -- what the machine has found, as plain tests: the model checks every step of these runs, too -------------


@pytest.mark.parametrize("before", ["restart", "fine"])
def test_bytes_that_were_not_stored_do_not_count_after_a_cancel(tmp_path: Path, before: str) -> None:
    """Fails if the calling thread looks at the cancel flag before it counts what is sent or taken back."""
    model = UploadModel(tmp_path, bytes(range(1, 25)), 15, 6)
    model.run([Step(before, 0), Step("cancel", 0)])
    assert isinstance(model.error, errors.Cancelled)
    assert model.events[-1].done == {"restart": 0, "fine": 15}[before]



_SIZES = ("known", "known", "declared", "")
_DIGESTS = ("md5", "md5", "doubt", "")


class Downloads(Machine):
    """Runs of one download, and what happens to its object and its partial file between them."""

    @initialize(raw=st.binary(min_size=6, max_size=6))
    def set_up(self, raw: bytes) -> None:
        size, shape, step, block, before, server = raw
        self.model = DownloadModel(
            self.directory,
            bytes(range(1, 80 - size % 80)),
            Shape(
                _SIZES[shape % 4], _DIGESTS[shape // 4 % 4], bool(shape & 16), server % 4 != 3, bool(shape & 32)
            ),
            (8, 16, 5, None)[step % 4],
            1 + block % 20,
            (None, b"old")[before % 2],
        )
        self.model.say = note

    @rule(script=scripts(DOWNLOAD_KINDS), deadline=st.sampled_from([None, None, None, None, 0.5, 3.0, 30.0]))
    def run(self, script: Any, deadline: Optional[float]) -> None:
        self.model.run(script, deadline)

    @rule(where=_BYTE)
    def object_changes(self, where: int) -> None:
        self.model.change_object(where)

    @rule(where=_BYTE)
    def partial_file_is_damaged(self, where: int) -> None:
        self.model.damage(where)

    @rule()
    def directory_is_copied(self) -> None:
        self.model.copy()

    @rule(script=scripts(DOWNLOAD_KINDS))
    def run_beside_another_process(self, script: Any) -> None:
        with self.model.held_by_another() as held:
            if held:
                self.check_refused(script)

    def teardown(self) -> None:
        if not hasattr(self, "model"):
            return
        self.model.run([])
        assert self.model.error is None, self.model.error
        assert self.model.name() == self.model.data


@pytest.mark.timeout(3600)  # of the thorough profile
def test_downloads(tmp_path: Path) -> None:
    run_machine(Downloads, tmp_path)


# -- what the machine has found, as plain tests: the model checks every step of these runs, too -------------


def ran(directory: Path, size: int, shape: Shape, step: int, block: int, *script: Step) -> DownloadModel:
    model = DownloadModel(directory, bytes(range(1, size + 1)), shape, step, block, None)
    model.run(script)
    return model


def test_progress_stays_above_0_where_a_range_is_ignored_and_another_fails(tmp_path: Path) -> None:
    model = ran(tmp_path, 31, Shape(), 8, 3, Step("ignores the range", 0), Step("failing", 0))
    assert model.error is None


def test_a_connection_that_breaks_after_the_last_byte_of_a_piece(tmp_path: Path) -> None:
    """Fails if the engine asks for the empty range that is left."""
    model = ran(tmp_path, 22, Shape(), 16, 7, Step("cut", 16), Step("fine", 0))
    assert (model.error, model.requests) == (None, 2)


def test_bytes_that_were_discarded_do_not_count(tmp_path: Path) -> None:
    model = ran(tmp_path, 14, Shape(etag=False), 16, 9, Step("flip", 0), Step("flip", 0))
    assert isinstance(model.error, errors.ChecksumMismatch)
    assert model.events[-1].done == 0


def test_a_partial_file_that_is_too_long_is_cut(tmp_path: Path) -> None:
    """Fails if every later run finds the same file too long."""
    model = ran(tmp_path, 14, Shape(digest=""), 8, 9, Step("grows", 0))
    assert isinstance(model.error, errors.LocalError)
    model.run([])
    assert (model.error, model.result.resumed) == (None, 14)


@pytest.mark.parametrize(
    ("kind", "where", "error"),
    [("changes", 2, errors.SourceChanged), *(("wrong range", where, errors.RangeMismatch) for where in range(3))],
)
def test_what_the_machine_meets_rarely(tmp_path: Path, kind: str, where: int, error: Any) -> None:
    """Another object, or another range than the one asked for, with the second range."""
    model = ran(tmp_path, 14, Shape(digest=""), 8, 9, Step("fine", 0), Step(kind, where))
    assert isinstance(model.error, error)
