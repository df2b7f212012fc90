"""A site of either release, for vouchers, the care of transfers and archives."""

from __future__ import annotations

from typing import Any, Iterator

import pytest

from tests.support.management_site import CareSite


@pytest.fixture(scope="module")
def running() -> Iterator[CareSite]:
    site = CareSite()
    yield site
    site.server.stop()


@pytest.fixture
def new(running: CareSite) -> Iterator[CareSite]:
    """A site of today's release."""
    yield running
    running.clear()


@pytest.fixture(params=["3.8", "2.67"])
def stand(request: Any, new: CareSite) -> CareSite:
    """A site of either release."""
    new.site.configure(version=request.param)
    return new
