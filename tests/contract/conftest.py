from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Iterator

import pytest

sys.path.append(str(Path(__file__).parent))

from services import SERVICES  # noqa: E402

from smartxfer.local import LocalServer  # noqa: E402


@pytest.fixture(params=SERVICES, ids=lambda service: service.name)
def service(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each service in turn, on a server of its own; a planned fault that did not fire is a failure."""
    kind = request.param
    with LocalServer(filesender={"upload_chunk_size": kind.chunk}) as server:
        yield kind(server)
        assert server.unfired() == []
