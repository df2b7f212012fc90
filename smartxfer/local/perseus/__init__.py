"""A Perseus file service on loopback, with the storage behind its presigned addresses.

Source: Perseus protocol, section A.11.
"""

from smartxfer.local.perseus.service import Perseus
from smartxfer.local.perseus.site import Site

__all__ = ["Perseus", "Site"]
