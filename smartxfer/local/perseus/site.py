"""Configuration of the local Perseus.

Source: Perseus protocol, sections A.4, A.5 and A.11.
"""

from typing import Optional

import attrs

from smartxfer.local.options import Options, one_of, validate_count, validate_number, validate_size


@attrs.frozen
class Site(Options):
    """Configuration of the local Perseus.

    :param port: port to listen on, 0 for any.
    :param api_key: API key. None: generated and stored with the data.
    :param upload_delay: seconds from the end of a PUT until its record is ``uploaded``.
    :param compare_hash: content whose SHA-256 is not the announced one makes the record ``failed``.
        Assumption: whether the real service compares is not known.
    :param known: response to a record of known content: ``"409"``, or ``"no-url"`` for a success
        without a URL.
    :param recreate_pending: allow another record for the content of a pending one.
        Assumption: the real service does not.
    :param create_status: status of a successful create, 200 or 201.
    :param url_seconds: validity of presigned URLs in seconds.
    :param signed_type: ``Content-Type`` in the signature of URLs; empty: not signed.
    :param echo_hash: records have ``sourceHash``. Assumption: the real service may leave it out.
    :param max_size: largest content in bytes, 0 for any.
    :param clock_offset: seconds by which the server's clock is ahead of this machine's.
    :param s3_endpoint: URL of an external S3 server that replaces the built-in storage.
    :param s3_bucket: bucket there; it has to exist.
    :param s3_key: access key there.
    :param s3_secret: its secret.
    :param s3_region: region of the signatures.
    """

    title = "Perseus"
    fixed = ("port", "api_key", "s3_endpoint", "s3_bucket", "s3_key", "s3_secret", "s3_region")

    api_key: Optional[str] = attrs.field(default=None, repr=False)
    upload_delay: float = attrs.field(default=0.0, validator=validate_number)
    compare_hash: bool = True
    known: str = attrs.field(default="409", validator=one_of("409", "no-url"))
    recreate_pending: bool = False
    create_status: int = attrs.field(default=200, validator=one_of(200, 201))
    url_seconds: int = attrs.field(default=3600, validator=validate_size)
    signed_type: str = ""
    echo_hash: bool = True
    max_size: int = attrs.field(default=0, validator=validate_count)
    clock_offset: float = 0.0
    s3_endpoint: str = ""
    s3_bucket: str = "perseus-files"
    s3_key: str = "S3TEST"
    s3_secret: str = attrs.field(default="S3TESTSECRET", repr=False)
    s3_region: str = "us-east-1"
