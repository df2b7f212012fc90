"""A site of either release, for vouchers, the management of transfers and archives."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.support.management_site import ManagementSite


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagementSite]:
    with ManagementSite(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def new(running: ManagementSite, tmp_path: Path) -> Iterator[ManagementSite]:
    """A site of today's release."""
    with running.reuse(tmp_path) as site:
        yield site


@pytest.fixture(params=["3.8", "2.67"])
def harness(request: Any, new: ManagementSite) -> ManagementSite:
    """A site of either release."""
    new.site.configure(version=request.param)
    return new
