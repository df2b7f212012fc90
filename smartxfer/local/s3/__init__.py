"""Storage behind presigned addresses, in the manner of Amazon S3: an origin of its own beside a service.

Source: Perseus protocol, section A.6; NRP protocol, sections 5 and 6.
"""

from smartxfer.local.s3.problems import Problem
from smartxfer.local.s3.shelf import Shelf, Stored
from smartxfer.local.s3.signing import Keys, presign
from smartxfer.local.s3.storage import Storage

__all__ = ["Keys", "Problem", "Shelf", "Storage", "Stored", "presign"]
