"""A site of either release, for vouchers, the management of transfers and archives."""

from __future__ import annotations

from typing import Any, Iterator

import pytest

from tests.support.management_site import ManagementSite


@pytest.fixture(scope="module")
def running() -> Iterator[ManagementSite]:
    site = ManagementSite()
    yield site
    site.server.stop()


@pytest.fixture
def new(running: ManagementSite) -> Iterator[ManagementSite]:
    """A site of today's release."""
    yield running
    running.clear()


@pytest.fixture(params=["3.8", "2.67"])
def harness(request: Any, new: ManagementSite) -> ManagementSite:
    """A site of either release."""
    new.site.configure(version=request.param)
    return new
