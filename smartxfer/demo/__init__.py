"""Implementation of ``smartxfer demo``: send files to a local server with each service and download them.

The command is in :mod:`smartxfer.cli.demo`.
"""

from smartxfer.demo.files import DemoFiles, make_files
from smartxfer.demo.filesender import FILESENDER_OPTIONS
from smartxfer.demo.nrp import NRP_OPTIONS
from smartxfer.demo.services import run_services, temporary_workspace
from smartxfer.demo.table import Row, format_json, format_table

__all__ = [
    "FILESENDER_OPTIONS",
    "NRP_OPTIONS",
    "DemoFiles",
    "Row",
    "format_json",
    "format_table",
    "make_files",
    "run_services",
    "temporary_workspace",
]
