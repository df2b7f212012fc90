"""The local repository: an NRP repository or a plain InvenioRDM, with records, files and requests."""

from smartxfer.local.nrp.service import NRP
from smartxfer.local.nrp.site import Site

__all__ = ["NRP", "Site"]
