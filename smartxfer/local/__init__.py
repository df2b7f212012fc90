"""Transfer services on loopback, for trying, for examples and for tests.

::

    from smartxfer.local import LocalServer

    with LocalServer() as server:
        print(server.filesender.url, server.filesender.env)
"""

import importlib.util

if importlib.util.find_spec("werkzeug") is None:
    raise ImportError("smartxfer.local needs werkzeug: pip install 'smartxfer[local]'")

from smartxfer.local.faults import Fault
from smartxfer.local.server import LocalServer

__all__ = ["Fault", "LocalServer"]
