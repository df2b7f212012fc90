"""What ``smartxfer demo`` runs: each service sends files to a local server and gets them back.

The command itself is :mod:`smartxfer.cli.demo`.
"""

from smartxfer.demo.files import Plan, make_files
from smartxfer.demo.filesender import FILESENDER_SITE
from smartxfer.demo.nrp import NRP_SITE
from smartxfer.demo.run import run_services, workplace
from smartxfer.demo.table import Row, as_json, as_table

__all__ = [
    "FILESENDER_SITE",
    "NRP_SITE",
    "Plan",
    "Row",
    "as_json",
    "as_table",
    "make_files",
    "run_services",
    "workplace",
]
