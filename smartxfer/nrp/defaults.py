"""Default values of parameters of the client."""

__all__ = ["AUTO"]

#: Selects the transfer type by the size of each file.
AUTO = "auto"
