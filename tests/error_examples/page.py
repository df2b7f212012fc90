"""The generated parts of ``docs/errors.rst``: made of the exception classes and of the examples' outcomes."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Sequence, Tuple

from smartxfer import errors
from smartxfer.errors import SmartxferError
from tests.support.error_families import FAMILIES, MODULES

from .advice import ADVICE
from .example import EXAMPLES, Example, Kind, Outcome

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "errors.rst"
TITLES = {
    "filesender": "FileSender", "smartfile": "SmartFile", "nrp": "NRP / Invenio", "perseus": "Perseus",
    "jetstream": "JetStream",
}
for _module in ("machine", "mistakes", *TITLES):
    importlib.import_module(f"tests.error_examples.{_module}")

GENERIC: List[Kind] = [
    kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, SmartxferError)
]
#: Classes that are only caught, or that their service never raises: they have no example.
NOT_RAISED = {
    *(FAMILIES[service].class_for(errors.CommunicationError) for service in TITLES),
    *(FAMILIES[service].class_for(errors.HTTPError) for service in TITLES),
    *(FAMILIES[service].class_for(errors.IntegrityError) for service in ("smartfile", "nrp", "perseus", "jetstream")),
    *(family.root for family in FAMILIES.values()),
    FAMILIES["filesender"].class_for(errors.WaitTimeout),
    FAMILIES["smartfile"].class_for(errors.RateLimited),
    FAMILIES["nrp"].class_for(errors.CredentialError),
    FAMILIES["nrp"].class_for(errors.UploadRejected),
    FAMILIES["jetstream"].class_for(errors.BatchError),
    errors.SmartxferError,
    errors.CommunicationError,
    errors.HTTPError,
}


def public(service: str) -> List[Kind]:
    """Return the classes that a service's module of errors exports and defines, root first."""
    module, root = MODULES[service], FAMILIES[service].root
    found = [getattr(module, name) for name in module.__all__]
    kinds = {kind for kind in found if inspect.isclass(kind) and issubclass(kind, root)}
    return sorted(kinds, key=lambda kind: (kind is not root, kind.__name__))


def generic_of(kind: Kind) -> Kind:
    """Return the generic class that a service's class is."""
    return next(base for base in kind.__mro__ if base.__module__ == errors.__name__)


def examples_of(kind: Kind) -> List[Example]:
    """Return the examples of a class; of a generic one those of the services, too."""
    found = [example for example in EXAMPLES.values() if example.kind is kind]
    if kind in GENERIC and not found:
        found = [example for example in EXAMPLES.values() if generic_of(example.kind) is kind]
    return found


def without_example() -> List[str]:
    """Return the names of the public classes that have no example, and of those that need none but have one."""
    kinds = [*GENERIC, *(kind for service in TITLES for kind in public(service))]
    return [kind.__name__ for kind in kinds if (kind in NOT_RAISED) is bool(examples_of(kind))]


def _literal(text: str) -> str:
    """Return a text as an inline literal."""
    return f"``{text}``" if text and "``" not in text else text.replace("``", "`")


def _bases(kind: Kind) -> str:
    """Return the names of a class's bases; those of Python are literals."""
    return ", ".join(_reference(base) for base in kind.__bases__)


def _reference(kind: type) -> str:
    public_name = kind.__module__ == errors.__name__
    return f":class:`~smartxfer.errors.{kind.__name__}`" if public_name else f"``{kind.__name__}``"


def _meaning(kind: type) -> str:
    """Return the first sentence of a class's docstring."""
    return " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())


def _shown(outcome: Outcome) -> List[str]:
    return [f"| {_literal(outcome.message)}", f"| Hint: {_literal(outcome.hint)}"]


Outcomes = Dict[str, Outcome]


def _outcome(outcomes: Outcomes, kind: Kind) -> List[str]:
    """Return lines that show what the first example of a class raised."""
    found = [key_of(example) for example in examples_of(kind)]
    if found:
        return _shown(outcomes[found[0]])
    below = any(other is not kind and issubclass(other, kind) for other in all_kinds())
    return ["Base class, not raised itself." if below else "Not raised by this version."]


def all_kinds() -> List[Kind]:
    """Return every class of error, those that are made for a service without being exported too."""
    return [*GENERIC, *(kind for family in FAMILIES.values() for kind in family._classes.values())]


def key_of(example: Example) -> str:
    """Return the module and name of an example's function."""
    return f"{example.run.__module__.rpartition('.')[2]}.{example.run.__name__}"


def _tree() -> Iterator[str]:
    """Yield the generic classes as a tree."""
    yield ".. code-block:: text"
    yield ""
    yield f"    {SmartxferError.__name__}"
    yield from _branches(SmartxferError, "    ")


def _branches(parent: Kind, lead: str) -> Iterator[str]:
    children = [kind for kind in GENERIC if parent in kind.__bases__]
    for kind in children:
        last = kind is children[-1]
        others = [base.__name__ for base in kind.__bases__ if base is not parent]
        yield f"{lead}{'└── ' if last else '├── '}{kind.__name__}{f' ({chr(44).join(others)})' if others else ''}"
        yield from _branches(kind, lead + ("    " if last else "│   "))


def _table(title: str, widths: str, header: Sequence[str], rows: Iterable[Sequence[Sequence[str]]]) -> Iterator[str]:
    """Yield a list table; a cell is a list of lines."""
    yield f".. list-table:: {title}".rstrip()
    yield "   :header-rows: 1"
    yield f"   :widths: {widths}"
    yield "   :class: errors"
    for row in ([[name] for name in header], *rows):
        yield ""
        for number, cell in enumerate(row):
            lead = "   * - " if not number else "     - "
            for line in cell:
                yield f"{lead}{line}".rstrip()
                lead = "       "


def _classes(outcomes: Outcomes) -> Iterator[str]:
    rows = []
    for kind in GENERIC:
        about = [_meaning(kind), "", f"*What to do:* {ADVICE[kind]}", "", *_outcome(outcomes, kind)]
        rows.append([[_reference(kind), "", f"({_bases(kind)})"], about])
    return _table("", "25 75", ["Class (bases)", "Meaning, what to do, and an example"], rows)


def _services(outcomes: Outcomes) -> Iterator[str]:
    for service, title in TITLES.items():
        yield f"``smartxfer.{service}.errors``"
        yield ""
        rows = []
        for kind in public(service):
            others = [name for name in MODULES[service].__all__ if getattr(MODULES[service], name) is kind]
            names = [f"``{name}``" for name in sorted(others, key=lambda name: (name != kind.__name__, name))]
            rows.append([[" / ".join(names), "", f"({_bases(kind)})"], _outcome(outcomes, kind)])
        yield from _table(title, "30 70", ["Class (bases)", "Message and hint"], rows)
        yield ""


def _mistakes(outcomes: Outcomes) -> Iterator[str]:
    rows = []
    for example in EXAMPLES.values():
        if example.mistake:
            outcome = outcomes[key_of(example)]
            rows.append([[example.case, "", f"({_reference(outcome.kind)})"], _shown(outcome)])
    return _table("", "30 70", ["What was wrong (class)", "Message and hint"], rows)


def sections(outcomes: Outcomes) -> Dict[str, str]:
    """Return the generated parts of the page by name."""
    made = {
        "tree": _tree(),
        "mistakes": _mistakes(outcomes),
        "classes": _classes(outcomes),
        "services": _services(outcomes),
    }
    return {name: "\n".join(lines).strip("\n") for name, lines in made.items()}


def _marked(name: str) -> Tuple[str, str]:
    return f".. begin generated: {name}\n\n", f"\n\n.. end generated: {name}\n"


def parts(page: str) -> Dict[str, str]:
    """Return the generated parts that a page has."""
    found = re.findall(r"\.\. begin generated: (\w+)\n\n(.*?)\n\n\.\. end generated: \1\n", page, re.DOTALL)
    return dict(found)


def replaced(page: str, made: Dict[str, str]) -> str:
    """Return a page with its generated parts replaced."""
    for name, text in made.items():
        start, end = _marked(name)
        before, _, rest = page.partition(start)
        _, found, after = rest.partition(end)
        assert found, f"docs/errors.rst has no part {name!r}"
        page = before + start + text + end + after
    return page
