"""The router of the local server."""

import pytest

from smartxfer.local.routing import NoRoute, Router

ROUTER = Router({"/file": 1, "/file/find": 2, "/file/<id>/parts": 3, "/data/<rest:path>": 4})
BELOW = Router({"/path": 1, "/path/data": 2}, rest=True)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/file", (1, {})), ("/file/find", (2, {})), ("/file/a b/parts", (3, {"id": "a b"})),
        ("/data/a/b//c", (4, {"path": "a/b//c"})), ("/data/a\nb", (4, {"path": "a\nb"})),
        ("/data/a\n", (4, {"path": "a\n"})),
    ],
)  # fmt: skip
def test_routes(path: str, found: object) -> None:
    assert ROUTER.match(path) == found


@pytest.mark.parametrize("path", ["/", "/fil", "/file/", "/file//parts", "/file/a/parts/", "//file", "/data", "/data/"])
def test_paths_that_no_route_has(path: str) -> None:
    with pytest.raises(NoRoute):
        ROUTER.match(path)


def test_the_longest_route_wins() -> None:
    assert BELOW.match("/path/data") == (2, {})
    assert BELOW.match("/path/data/x/y") == (2, {"rest": "x/y"})
    assert BELOW.match("/path/date/x") == (1, {"rest": "date/x"})
