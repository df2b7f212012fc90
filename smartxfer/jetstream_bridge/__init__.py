"""Bridge from JSON-RPC over HTTP to a JetStream server, through the vendor's Python package.

The protocol of a JetStream server is not public, so the bridge calls the documented methods of the package
``jetstream``, which comes with the product.  It was tested only with a replacement of that package.

Source: JetStream protocol, section 9.7.
"""

from smartxfer.jetstream_bridge.bridge import Bridge
from smartxfer.jetstream_bridge.vendor_package import load_api_factory

__all__ = ["Bridge", "load_api_factory"]
