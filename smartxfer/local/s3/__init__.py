"""Storage with presigned URLs like Amazon S3, at its own origin.

Source: Perseus protocol, section A.6; NRP protocol, sections 5 and 6.
"""

from smartxfer.local.s3.backend import ObjectBackend, StoredObject
from smartxfer.local.s3.errors import S3Error
from smartxfer.local.s3.signing import Keys, presign
from smartxfer.local.s3.storage import Storage

__all__ = ["Keys", "ObjectBackend", "S3Error", "Storage", "StoredObject", "presign"]
