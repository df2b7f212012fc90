"""Defaults that the signatures of the client show."""

__all__ = ["AUTO"]

#: The transfer type by the size of each file.
AUTO = "auto"
