"""Router: finds the handler of a path."""

from typing import Any, Dict, Mapping, Tuple

from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, PathConverter, Rule


class NoRoute(Exception):
    """No route matches the path."""


class _RestConverter(PathConverter):
    """The rest of a path, with any characters; werkzeug's converter ends at a line break."""

    regex = r"[^/](?s:.)*?"


class Router:
    """Finds the handler of a path by rules of :mod:`werkzeug.routing`; ``<rest:NAME>`` matches slashes too.

    :param routes: handlers by rule.
    :param rest: each rule also matches the paths below it, with the rest as ``rest``.
    """

    def __init__(self, routes: Mapping[str, Any], *, rest: bool = False) -> None:
        self._routes = {
            **routes,
            **{f"{rule}/<rest:rest>": handler for rule, handler in routes.items() if rest},
        }
        # Double slashes and methods are handled by each service: their error responses differ.
        rules = Map(converters={"rest": _RestConverter}, merge_slashes=False)
        for rule in self._routes:
            rules.add(Rule(rule, endpoint=rule))
        self._rules = rules.bind("localhost")

    def match(self, path: str) -> Tuple[Any, Dict[str, str]]:
        """Return the handler of a path, and the values of the rule's variables.

        :param path: decoded.
        :raises NoRoute: no rule matches.
        """
        try:
            if path.startswith("//"):  # which werkzeug takes for one slash
                raise NotFound
            endpoint, values = self._rules.match(path)
        except NotFound:
            raise NoRoute(path) from None
        return self._routes[endpoint], dict(values)
