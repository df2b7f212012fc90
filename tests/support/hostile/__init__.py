"""Servers that do harm on purpose, and the clients before them."""
