"""From paths to what answers them."""

from typing import Any, Dict, Mapping, Tuple

from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, PathConverter, Rule


class NoRoute(Exception):
    """No route matches the path."""


class _Rest(PathConverter):
    """The rest of a path, of any characters: that of werkzeug ends at a line break."""

    regex = r"[^/](?s:.)*?"


class Router:
    """Finds what answers a path, by the rules of :mod:`werkzeug.routing`; ``<rest:NAME>`` takes any slashes.

    :param routes: what answers, by rule.
    :param rest: each rule is also one for what is below it, under the name ``rest``.
    """

    def __init__(self, routes: Mapping[str, Any], *, rest: bool = False) -> None:
        self._routes = {**routes, **{f"{rule}/<rest:rest>": found for rule, found in routes.items() if rest}}
        # Slashes that come twice are each service's own matter; methods, too, for the sake of its 405.
        rules = Map(converters={"rest": _Rest}, merge_slashes=False)
        for rule in self._routes:
            rules.add(Rule(rule, endpoint=rule))
        self._rules = rules.bind("localhost")

    def match(self, path: str) -> Tuple[Any, Dict[str, str]]:
        """Return what answers a path, and what the rule names in it.

        :param path: decoded.
        :raises NoRoute: nothing does.
        """
        try:
            if path.startswith("//"):  # which werkzeug takes for one slash
                raise NotFound
            endpoint, values = self._rules.match(path)
        except NotFound:
            raise NoRoute(path) from None
        return self._routes[endpoint], dict(values)
