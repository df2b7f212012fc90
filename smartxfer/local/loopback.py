"""Which addresses lead to this machine only."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether an address to bind, or a host's name, is this machine's alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
