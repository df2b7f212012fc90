"""A FileSender 3.8 on loopback. Source: FileSender protocol, section 11."""

from smartxfer.local.filesender.service import FileSender
from smartxfer.local.filesender.site import Site

__all__ = ["FileSender", "Site"]
