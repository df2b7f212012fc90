"""Detection of loopback addresses."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Return True for an address or host name that only this machine can reach."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
