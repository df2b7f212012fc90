"""The distribution: the wheel, its metadata, the extras, and the commands that the README prints."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Dict, Set

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.rst"


@pytest.fixture(scope="session")
def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that a user would get from this tree."""
    # The wheel is built from a copy, because setuptools leaves build/ and *.egg-info in the source directory.
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("setup.cfg", "pyproject.toml", "README.rst", "LICENSE", "MANIFEST.in"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    for path in _package_files():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes((ROOT / path).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--wheel-dir", str(out), str(source)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=100, check=False,
    )
    assert done.returncode == 0, done.stdout
    (built,) = out.glob("*.whl")
    return built


def _package_files() -> Set[str]:
    files = [*(ROOT / "smartxfer").rglob("*.py"), *(ROOT / "smartxfer").rglob("py.typed")]
    return {path.relative_to(ROOT).as_posix() for path in files}


@pytest.mark.slow
def test_wheel_holds_every_module_and_py_typed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert shipped == _package_files()
    assert "smartxfer/py.typed" in shipped


@pytest.mark.slow
def test_wheel_metadata(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata_name,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        metadata = Parser().parsestr(archive.read(metadata_name).decode("utf-8"))
        (entry_name,) = [name for name in names if name.endswith("entry_points.txt")]
        entry_points = archive.read(entry_name).decode("utf-8")
    assert metadata["Name"] == "smartxfer"
    assert metadata["Requires-Python"] == ">=3.8"
    assert "MIT" in (metadata["License-Expression"], metadata["License"])
    assert any("LICENSE" in name for name in names)
    assert "smartxfer = smartxfer.cli:main" in entry_points
    version = re.search(
        r'^__version__ = "([^"]+)"$', (ROOT / "smartxfer/__init__.py").read_text("utf-8"), re.M
    )
    assert version is not None
    assert metadata["Version"] == version.group(1)


def _names(lines: str) -> Set[str]:
    """The distributions that requirement lines name, own extras resolved by the caller."""
    return {
        match.group(0).lower()
        for line in lines.splitlines()
        for match in [re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?", line.strip())]
        if match
    }


def _extra(parser: configparser.ConfigParser, name: str) -> Set[str]:
    """The distributions that an extra brings, extras within it opened."""
    found: Set[str] = set()
    for entry in _names(parser["options.extras_require"][name]):
        if entry.startswith("smartxfer["):
            for inner in entry[len("smartxfer[") : -1].split(","):
                found |= _extra(parser, inner)
        else:
            found.add(entry)
    return found


def test_extras_add_up(setup_cfg: configparser.ConfigParser) -> None:
    extras: Dict[str, Set[str]] = {
        name: _extra(setup_cfg, name) for name in setup_cfg["options.extras_require"]
    }
    assert extras["cli"] == {"click"}
    assert extras["local"] == {"click", "werkzeug"}
    assert extras["testing"] == {"click", "werkzeug", "responses", "pytest"}
    for_users = [found for name, found in extras.items() if name not in ("all", "test", "docs")]
    assert extras["all"] == set().union(*for_users)


def test_every_dependency_has_its_reason(setup_cfg: configparser.ConfigParser) -> None:
    page = (ROOT / "docs" / "dependencies.rst").read_text("utf-8")
    wanted = _names(setup_cfg["options"]["install_requires"])
    for name in setup_cfg["options.extras_require"]:
        wanted |= _extra(setup_cfg, name)
    assert {name for name in wanted if f"``{name}``" not in page} == set()


def test_lowest_pins_are_the_floors(setup_cfg: configparser.ConfigParser) -> None:
    admitted = setup_cfg["options"]["install_requires"] + "".join(
        setup_cfg["options.extras_require"][name] for name in ("cli", "local", "oauth", "crypto", "testing", "test")
    )
    floors = dict(re.findall(r"^([a-z][a-z0-9-]*)>=([0-9.]+)", admitted, re.M))
    lowest = (ROOT / "tests" / "lowest.txt").read_text("utf-8")
    pins = dict(re.findall(r"^([a-z0-9-]+)==([0-9.]+)$", lowest, re.M))
    assert set(pins) == set(floors)
    for name, floor in floors.items():
        assert (pins[name] + ".0").startswith(floor + "."), f"{name}: {pins[name]} for >={floor}"


def test_ci_runs_the_test_command_of_the_readme() -> None:
    commands = re.findall(r"^ +(python3 -m venv .*)$", README.read_text("utf-8"), re.M)
    assert len(commands) == 2, "the README prints one command that shows and one that tests"
    show, test = commands
    assert show.endswith("smartxfer demo")
    assert test.endswith("tox")
    script = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert script[-1] == test
    assert sum("venv" in line for line in script) == 1
