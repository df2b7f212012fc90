"""A FileSender 3.8 on loopback. Source: FileSender protocol, section 11."""

from .service import FileSender
from .site import Site

__all__ = ["FileSender", "Site"]
