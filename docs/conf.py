"""Sphinx configuration: built with ``-n -W``, without the network."""

import ast
import contextlib
import importlib
import inspect
import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxRole

import smartxfer


def _functions(holder):
    """Yield the functions of a module, and those of its classes."""
    for thing in list(vars(holder).values()):
        thing = getattr(thing, "fget", None) or getattr(thing, "__func__", thing)
        if inspect.isfunction(thing):
            yield inspect.unwrap(thing)
        elif inspect.isclass(thing) and inspect.ismodule(holder) and thing.__module__ == holder.__name__:
            yield from _functions(thing)


def _explain_annotations(module):
    """Evaluate the annotations that are strings, because their types are imported lazily."""
    names = dict(vars(module))
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            exec(ast.unparse(ast.Module(node.body, [])), names)
    for function in _functions(module):
        for word, text in function.__annotations__.items():
            if isinstance(text, str) and function.__module__ == module.__name__:
                with contextlib.suppress(NameError, TypeError):  # other strings
                    function.__annotations__[word] = eval(text, names)


for _path in Path(smartxfer.__file__).parent.glob("*/[!_]*.py"):
    if _path.parent.name in ("filesender", "smartfile", "nrp", "perseus", "jetstream"):
        _explain_annotations(importlib.import_module(f"smartxfer.{_path.parent.name}.{_path.stem}"))
_explain_annotations(importlib.import_module("smartxfer.client"))

project = "smartxfer"
author = "The smartxfer developers"
project_copyright = f"2026, {author}"
version = release = smartxfer.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
templates_path: list = []
html_theme = "furo"
html_title = f"smartxfer {release}"

# Examples at a prompt are copied without the prompt and without the output.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

default_role = "any"
nitpicky = True
# No inventory of another project is fetched (the build needs no network), so the names that are
# of other projects are listed here. All names of smartxfer must exist, except for some internal ones.
_libraries = "attr attrs cattrs click pytest requests responses tqdm urllib3 werkzeug"
_modules = (
    "collections concurrent contextlib datetime enum http io logging os pathlib socket sqlite3 ssl "
    "threading time types typing typing_extensions uuid"
)
_builtins = (
    "bool bytearray bytes callable dict float frozenset int iterable list mapping memoryview "
    "object optional sequence set str tuple type None NoneType BaseException Exception "
    "ConnectionError FileExistsError FileNotFoundError KeyboardInterrupt KeyError LookupError "
    "OSError PermissionError RuntimeError TimeoutError TypeError ValueError"
)
# autodoc prints these names if the annotation is a string.
_typing = (
    "Any BinaryIO Callable Dict IO Iterable Iterator List Literal Mapping MutableMapping Optional "
    "Path PathLike Protocol Self Sequence Set Tuple Type Union"
)


def _any_of(words: str) -> str:
    return "(" + "|".join(words.split()) + ")"


nitpick_ignore_regex = [
    (r"py:.*", _any_of(f"{_libraries} {_modules}") + r"(\..*)?"),
    (r"py:.*", _any_of(f"{_builtins} {_typing}")),
    # Internal classes in signatures.
    (r"py:class", r"smartxfer\.((filesender\.rest_|nrp\.|perseus\.)api\.\w+Api|nrp\.file_transfers\.FileTransfers|nrp\.records\.R)"),
    (r"py:class", r"smartxfer\.smartfile\.auth\.Auth"),
    (r"py:obj", r"smartxfer\.transfer\.progress\.State"),
    # autodoc prints these names for overloads.
    (r"py:class", r"K|FilePath|Exists"),
]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True

# Only `.. doctest::` and `.. testcode::` are examples, not every `>>>` in the text.
doctest_test_doctest_blocks = ""
doctest_global_setup = """
import os, tempfile
_home = tempfile.TemporaryDirectory()
os.environ["HOME"] = _home.name
os.environ["SMARTXFER_STATE_DIR"] = os.path.join(_home.name, "state")
_ours = ("FILESENDER_", "SMARTFILE_", "NRP_", "PERSEUS_", "LETTRIA_", "JETSTREAM_")
for _name in list(os.environ):
    if _name.upper().startswith(_ours) or _name.upper().endswith("_PROXY"):
        del os.environ[_name]
_start = os.getcwd()
os.chdir(_home.name)
"""
doctest_global_cleanup = """
os.chdir(_start)
_home.cleanup()
"""


class DefinitionRole(SphinxRole):
    """Link ``folder/module.py::function`` or ``::Class.method`` to the file; an unknown name is a warning.

    :param kind: of the definition, for the warning.
    """

    def __init__(self, kind):
        super().__init__()
        self._kind = kind

    def run(self):
        path, _, names = self.text.partition("::")
        file = Path(__file__).parent.parent / path
        source = file.read_text(encoding="utf-8") if file.is_file() else ""
        definitions = [rf"^\s*(def|class) {re.escape(name)}\b" for name in names.split(".") if name]
        problems = []
        if not source or not all(re.search(definition, source, re.M) for definition in definitions):
            text = f"no such {self._kind}: {self.text}"
            problems.append(self.inliner.reporter.warning(text, line=self.lineno))
        return [_link_to_file(self, path)], problems


class MutationRole(SphinxRole):
    """Link the id of a mutation to its list in ``tests/mutations``; an unknown id is a warning."""

    def run(self):
        root = Path(__file__).parent.parent
        for file in sorted((root / "tests" / "mutations").glob("promises_*.py")):
            if f'id="{self.text}"' in file.read_text(encoding="utf-8"):
                return [_link_to_file(self, file.relative_to(root).as_posix())], []
        warning = self.inliner.reporter.warning(f"no such mutation: {self.text}", line=self.lineno)
        return [nodes.literal(self.rawtext, self.text)], [warning]


def _link_to_file(role, path):
    """Return the role's text as a link to a file, whose path is below the root of the tree."""
    up = "../" * (role.env.docname.count("/") + 1)
    link = addnodes.download_reference(role.rawtext, reftarget=f"{up}{path}", refdoc=role.env.docname)
    link += nodes.literal(role.rawtext, role.text, classes=["xref", "download"])
    return link


# Numbers of sections in the pages: 4, 4.1, and A.4 for Perseus.
_number = r"(?:A\.\d+|\d+(?:\.\d)?)"
_sections = re.compile(rf"(?<=\bsection) {_number}|(?<=\bsections) {_number}(?:(?:,| and| to)\s+{_number})*")
# Part of a documented name -> the protocol page that its docstring cites.
_pages = {
    "filesender": "filesender",
    "nrp": "nrp",
    "canned": "filesender",
    "smartfile": "smartfile",
    "perseus": "perseus",
    "jetstream": "jetstream",
    "jsonrpc": "jetstream",
    "bridge": "jetstream",
    "delta": "smartfile",
}


def link_sections(app, what, name, obj, options, lines):
    """Replace the section numbers in docstrings by links; an unknown section is a warning."""
    page = next((page for part, page in _pages.items() if part in name.lower()), None)
    if page is not None:
        linked = _sections.sub(
            lambda match: re.sub(_number, rf":ref:`\g<0> <{page}-\g<0>>`", match[0]), "\n".join(lines)
        )
        lines[:] = linked.split("\n")


def setup(app):
    app.add_role("test", DefinitionRole("test"))
    app.add_role("source", DefinitionRole("source"))
    app.add_role("mutation", MutationRole())
    app.connect("autodoc-process-docstring", link_sections)
