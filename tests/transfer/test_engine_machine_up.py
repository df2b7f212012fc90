"""The upload engine, step by step, over a server that breaks in every way: hypothesis looks for a broken promise."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Optional

import pytest
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from smartxfer.errors import Cancelled, IntegrityError
from tests.support.engine_model import Machine, Step, run_machine, scripts
from tests.support.engine_model_up import KINDS, UploadModel

pytest.importorskip("fcntl")

_BYTE = st.integers(0, 255)


class Uploads(Machine):
    """Runs of one upload, and what happens to its source and at the server between them."""

    @initialize(size=st.integers(0, 79), chunk=st.integers(1, 16), block=st.integers(1, 9))
    def set_up(self, size: int, chunk: int, block: int) -> None:
        self.model = UploadModel(self.directory, bytes(range(1, 80 - size)), chunk, block)
        self.model.say = note

    @rule(script=scripts(KINDS), deadline=st.sampled_from([None, None, None, None, 0.5, 3.0, 30.0]))
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

    @rule(script=scripts(KINDS))
    def run_beside_another_process(self, script: Any) -> None:
        with contextlib.closing(self.model.journal(self.model.item())):
            self.check_refused(script)

    def teardown(self) -> None:
        if not hasattr(self, "model"):
            return
        self.model.run([])
        if isinstance(self.model.error, IntegrityError):  # the server had forgotten a part
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
    assert isinstance(model.error, Cancelled)
    assert model.events[-1].done == {"restart": 0, "fine": 15}[before]
