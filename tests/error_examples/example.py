"""The list of examples, and how one is run."""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, List, NamedTuple, Tuple, Type, Union

from smartxfer.errors import SmartxferError

from .scene import Scene

Kind = Type[SmartxferError]
Run = Callable[[Scene], Any]
Call = Callable[[Scene], Callable[[], Any]]


class Example(NamedTuple):
    """A function that provokes an error.

    :ivar kind: the class of the error.
    :ivar run: the function; its docstring says what was done.
    :ivar mistake: whether it belongs to the table of a new user's mistakes.
    """

    kind: Kind
    run: Run
    mistake: bool

    @property
    def case(self) -> str:
        """Describe the call in a few words."""
        return (self.run.__doc__ or "").strip().rstrip(".")


class Outcome(NamedTuple):
    """The error that an example raised, without the parts that differ between two runs."""

    example: Example
    kind: Type[BaseException]
    message: str
    hint: str
    unfired: List[Any]

    @property
    def problems(self) -> List[str]:
        """List what is wrong with the outcome."""
        name, found = self.example.run.__name__, []
        if self.kind is not self.example.kind:
            found.append(f"{name} raised {self.kind.__name__}, not {self.example.kind.__name__}: {self.message}")
        elif not self.hint:
            found.append(f"{name}: {self.kind.__name__} has no hint: {self.message}")
        return found + [f"{name}: {fault} did not take effect" for fault in self.unfired]


#: Examples in the order in which they are written, by function.
EXAMPLES: Dict[Run, Example] = {}


def shows(kind: Kind, *, mistake: bool = False) -> Callable[[Run], Run]:
    """Register a function as the example of an error.

    :param kind: class that it raises; exactly this one.
    :param mistake: show it among a new user's first mistakes, too.
    """

    def register(run: Run) -> Run:
        assert run.__doc__, f"{run.__name__}: say in a docstring what it does"
        EXAMPLES[run] = Example(kind, run, mistake)
        return run

    return register


def shows_faults(module: str, match: str, call: Call, *rows: Tuple[Kind, str, Union[str, bytes]]) -> None:
    """Register examples of a request that is answered in another way than the protocol says.

    :param module: that has the examples.
    :param call: makes a client of the scene and returns what sends the request.
    :param rows: the class, what is shown, and the fault, or the bytes of an answer as JSON.
    """
    for kind, case, effect in rows:

        def run(scene: Scene, effect: Union[str, bytes] = effect) -> None:
            request = call(scene)
            plan = scene.answer if isinstance(effect, bytes) else scene.fault
            plan(match, effect)  # type: ignore[arg-type]
            request()

        run.__doc__, run.__module__, run.__name__ = f"{case}.", module, re.sub(r"\W+", "_", case.lower())
        shows(kind)(run)


def run(example: Example) -> Outcome:
    """Run an example in surroundings of its own."""
    with Scene() as scene:
        try:
            example.run(scene)
        except Exception as error:  # noqa: BLE001 - a wrong class is reported with the others
            message = error.summary if isinstance(error, SmartxferError) else str(error)
            hint = getattr(error, "hint", "")
            return Outcome(example, type(error), scene.stable(message), scene.stable(hint), scene.unfired())
        return Outcome(example, type(None), "nothing was raised", "", scene.unfired())  # type: ignore[arg-type]
