"""Programs that use the original clients, and the same programs with their imports changed, on one server."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from tests.support.usages.originals import missing
from tests.support.usages.replay import SERVICES, Usage, documented, replay, rewrites, shown, usages
from tests.support.usages.servers import harness

pytestmark = [
    # The programs leave files and connections to the garbage collector, as users' scripts do.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

EVERY = [usage for service in SERVICES for usage in [*shown(service), *usages(service)]]


@pytest.fixture(scope="module")
def names(request: pytest.FixtureRequest) -> Iterator[Dict[str, Any]]:
    """Yield the names that the programs of a service use, with its site among them."""
    with harness(request.param) as found:
        yield found


def _each(function: Any) -> Any:
    values = [pytest.param(usage.service, usage, id=f"{usage.service}: {usage.name}") for usage in EVERY]
    return pytest.mark.parametrize(("names", "usage"), values, indirect=["names"])(function)


@_each
def test_ours(names: Dict[str, Any], usage: Usage, tmp_path: Path) -> None:
    assert replay(usage.ours, names, tmp_path) == usage.printed


@_each
@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_the_original(names: Dict[str, Any], usage: Usage, tmp_path: Path) -> None:
    reason = usage.ours_only or missing(usage.service, names)
    if reason:
        pytest.skip(reason)
    try:
        assert replay(usage.text, names, tmp_path) == usage.printed
    finally:
        gc.collect()  # what it leaves open is complained of here, where nothing minds


@pytest.mark.parametrize("usage", [usage for usage in EVERY if usage.changes], ids=lambda usage: usage.name)
def test_the_page_has_what_changes(usage: Usage) -> None:
    rows = documented(usage.service)
    for old, new in usage.changes:
        assert any(old in before and new in after for before, after in rows), (old, new)


@pytest.mark.parametrize("service", SERVICES)
def test_every_row_of_the_first_table_is_needed(service: str) -> None:
    texts = [usage.text for usage in EVERY if usage.service == service]
    assert [old for old, _ in rewrites(service) if not any(old in text for text in texts)] == []


@pytest.mark.parametrize("service", SERVICES)
def test_the_page_shows_what_its_table_makes_of_a_program(service: str) -> None:
    pages = shown(service)
    assert pages
    for usage in pages:
        assert usage.ours.split("\n") == usage.as_shown.split("\n")


def test_there_are_enough() -> None:
    assert len(EVERY) >= 60
    assert len({(usage.service, usage.name) for usage in EVERY}) == len(EVERY)
