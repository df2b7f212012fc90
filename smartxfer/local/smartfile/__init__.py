"""The local SmartFile: API 2, the parts of API 3 that move files, OAuth, links and delta sync."""

from smartxfer.local.smartfile.service import SmartFile
from smartxfer.local.smartfile.site import Site

__all__ = ["Site", "SmartFile"]
