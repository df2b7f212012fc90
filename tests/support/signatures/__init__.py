"""Rows of the signature tables."""
