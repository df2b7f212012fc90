"""Errors as users see them: each function of this package provokes one with the public API, and names its class.

``python -m tests.error_examples`` runs them all and writes the tables of ``docs/errors.rst``.
"""
