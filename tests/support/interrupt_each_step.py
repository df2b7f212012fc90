"""Ctrl-C at every single moment of a call: an exception is raised before one step of its code after the other."""

from __future__ import annotations

import dis
import functools
import gc
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, FrozenSet, Iterator, Set

import smartxfer

#: Files with steps: smartxfer's own, and what it must not use for files that nothing else closes.
_TRACED = (str(Path(smartxfer.__file__).parent), tempfile.__file__)


def broken_at_each_step(call: Callable[[], Any], *, signals_only: bool = False, every: int = 1) -> Iterator[int]:
    """Make a call again and again, each time with a KeyboardInterrupt one step later; yield after each.

    A step is an instruction of smartxfer's own code, or of ``tempfile``, in the calling thread.  The garbage collector is off.

    :param signals_only: break it only where Python (3.12 and newer) runs handlers of signals: at the start of
        a function, after a call, and where a loop goes back.
    :param every: steps from one break to the next.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        step = 0
        while _broken(call, step, signals_only):
            yield step
            step += every
    finally:
        if collecting:
            gc.enable()


def _broken(call: Callable[[], Any], step: int, signals_only: bool) -> bool:
    """Make the call with a KeyboardInterrupt at a step; return False if it has not so many."""
    left = step

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(_TRACED):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "call" or (event == "opcode" and (not signals_only or frame.f_lasti in _moments(frame.f_code))):
            left -= 1
            if left < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        call()
        return False
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)


@functools.lru_cache(maxsize=None)
def _moments(code: Any) -> FrozenSet[int]:
    """Return the offsets of the instructions before which handlers of signals are run.

    Where a call is the last instruction of a ``with`` or ``try`` block, its exception would not be raised in the
    block: those are left out.
    """
    found: Set[int] = set()
    blocks = dis.Bytecode(code).exception_entries  # type: ignore[attr-defined]
    called: Any = None
    for instruction in dis.get_instructions(code):
        at = instruction.offset
        if instruction.opname == "JUMP_BACKWARD":
            found.add(at)
        if called is not None and all((one.start <= called < one.end) == (one.start <= at < one.end) for one in blocks):
            found.add(at)
        if instruction.opname != "CACHE":
            called = at if instruction.opname.startswith("CALL") else None
    return frozenset(found)


def open_descriptors() -> FrozenSet[str]:
    """Return what this process has open: number and target of each descriptor."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        except OSError:  # that of this look
            continue
    return frozenset(found)
