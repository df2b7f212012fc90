"""JetStream servers on loopback, which copy files to each other.

Source: JetStream protocol, section 9.6.
"""

from smartxfer.local.jetstream.service import JetStream, JetStreamPeer
from smartxfer.local.jetstream.site import Site

__all__ = ["JetStream", "JetStreamPeer", "Site"]
