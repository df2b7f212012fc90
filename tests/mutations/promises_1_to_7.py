"""Mutations that break promises 1 to 7."""

from __future__ import annotations

from .mutation import Mutation

MUTATIONS = [
    Mutation(
        id="digest-not-compared",
        promise=1,
        file="smartxfer/transfer/download.py",
        old="if actual != expected.lower():",
        new="if False:",
        tests=("tests/transfer/test_download.py::test_a_bit_that_stays_flipped_is_an_error_and_nothing_is_kept",),
        why="A download with wrong bytes gets its final name and is called verified.",
    ),
    Mutation(
        id="part-noted-too-early",
        promise=2,
        file="smartxfer/transfer/upload.py",
        old='payload: Body = body if part.size else b""',
        new='payload: Body = (self._upload.note(part), body if part.size else b"")[1]',
        tests=("tests/contract/test_resume.py::test_an_upload_sends_only_what_is_missing[filesender]",),
        why="A re-run leaves out a part that the server does not have.",
    ),
    Mutation(
        id="lock-not-taken",
        promise=2,
        file="smartxfer/transfer/locking.py",
        old="system.flock(fd, system.LOCK_EX | system.LOCK_NB)",
        new="pass",
        tests=("tests/transfer/test_locks.py",),
        why="Two processes write one part file or journal at the same time.",
    ),
]
