"""From the JSON-RPC binding to a JetStream server, by way of the vendor's own Python package.

The wire of a JetStream server is not public, so nothing here speaks it: the bridge calls the documented
methods of the package ``jetstream``, which comes with the product.  It was tested against a stand-in of that
package only.

Source: JetStream protocol, section 9.7.
"""

from smartxfer.jetstream_bridge.bridge import Bridge
from smartxfer.jetstream_bridge.vendor_package import load_api_factory

__all__ = ["Bridge", "load_api_factory"]
