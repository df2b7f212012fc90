"""Calls of every method that has canned responses, and what their results have to be."""

from tests.support.canned_calls import filesender, jetstream, nrp, perseus, smartfile

TABLES = {module.TABLE.service: module.TABLE for module in (filesender, smartfile, nrp, perseus, jetstream)}
