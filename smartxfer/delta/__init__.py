"""Signature, delta and patch in librsync's formats, to transfer only the changed parts of a file.

>>> from smartxfer import delta
>>> delta.signature("old.bin", "old.signature")       # doctest: +SKIP
>>> delta.delta("old.signature", "new.bin", "change") # doctest: +SKIP
>>> delta.patch("old.bin", "change", "new.bin")       # doctest: +SKIP

Every file is a path or an open binary file.  Memory use does not grow with the size of the files.
Signatures and deltas are computed by the system's librsync; :func:`patch` needs no library.
"""

from smartxfer.delta.apply_patch import patch
from smartxfer.delta.library import available
from smartxfer.delta.make_delta import delta
from smartxfer.delta.make_signature import read_signature, signature
from smartxfer.delta.signature_header import Signature
from smartxfer.delta.sizes import block_length_for

__all__ = ["Signature", "available", "block_length_for", "delta", "patch", "read_signature", "signature"]
