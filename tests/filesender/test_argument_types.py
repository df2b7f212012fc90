"""Arguments of another type, or in another order, are a UsageError, and nothing of them is sent."""

from __future__ import annotations

from typing import Any, Callable, List

import pytest

from smartxfer.errors import UsageError
from smartxfer.filesender import request_body
from smartxfer.filesender import request_types as types
from smartxfer.transfer.local_files import collect_files

BODIES: List[Callable[[Any], Any]] = [
    request_body.build_guest_body,
    lambda given: request_body.build_raw_transfer_body(given, guest=False),
    lambda given: request_body.build_update_body(given, types.TransferUpdate),
    lambda given: request_body.build_transfer_body([], given, "ann@example.org", True),
]


@pytest.mark.parametrize("given", [None, "text", 5, [("a", 1)], object()], ids=type)
@pytest.mark.parametrize("build", BODIES)
def test_a_body_is_a_dict(build: Callable[[Any], Any], given: Any) -> None:
    with pytest.raises(UsageError, match="dict"):
        build(given)


@pytest.mark.parametrize("things", [{"subject": "x"}, None, 5, object()], ids=type)
def test_files_are_a_list(things: Any) -> None:
    with pytest.raises(UsageError, match="list"):
        collect_files(things)
