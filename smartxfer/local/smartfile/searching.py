"""Search for paths, users and groups.

Source: SmartFile protocol, section 5 (Paths).  Assumptions, for which no source was found: the list
envelope; that every keyword must stand somewhere in the name, in any case.
"""

from typing import Callable, List

from smartxfer.local.http_messages import Response
from smartxfer.local.smartfile.call import Call, Methods, Routes
from smartxfer.local.smartfile.paging import envelope
from smartxfer.local.smartfile.people import Item, shown

__all__ = ["ROUTES"]


def _search_methods(candidates: Callable[[Call], List[Item]]) -> Methods:
    """Search by ``keywords``: each must stand somewhere in the name, in any case."""

    def get(call: Call) -> Response:
        words = call.required("keywords").casefold().split()
        found = []
        for item in candidates(call):
            text = str(item.get("name", "")) + "\n" + str(item.get("username", ""))
            if all(word in text.casefold() for word in words):
                found.append(shown(item))
        return envelope(call, found)

    return {"GET": get}


def _every_path(call: Call) -> List[Item]:
    tree = call.backend.tree
    return [call.backend.info(node) for node in tree.walk(tree.find("/")) if node.path != "/"]


ROUTES: Routes = {
    "search/path": _search_methods(_every_path),
    "search/user": _search_methods(lambda call: call.backend.kept.all("user")),
    "search/group": _search_methods(lambda call: call.backend.kept.all("group")),
}
