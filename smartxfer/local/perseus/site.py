"""What can be set: the key, how the service goes about known content, and which storage it uses.

Source: Perseus protocol, sections A.4, A.5 and A.11.
"""

from typing import Optional

import attrs

from smartxfer.local.options import Options, a_count, a_number, a_size, a_word


@attrs.frozen
class Site(Options):
    """Configuration of the local Perseus.

    :param port: port to listen on, 0 for any.
    :param api_key: API key. None: one is made, and kept with the data.
    :param upload_delay: seconds from the end of a PUT until its record is ``uploaded``.
    :param compare_hash: content whose SHA-256 is not the announced one makes the record ``failed``.
        Assumption: whether the real service compares is not known.
    :param known: what creating a record of known content answers: ``"409"``, or ``"no-url"`` for a good
        answer without an address.
    :param recreate_pending: a pending record is no obstacle to another one of its content.
        Assumption: on the real service it is.
    :param create_status: status of a good create, 200 or 201.
    :param url_seconds: seconds for which an address is good.
    :param signed_type: ``Content-Type`` that addresses are signed with; empty: it is not signed.
    :param echo_hash: records have ``sourceHash``. Assumption: the real service may leave it out.
    :param max_size: largest content in bytes, 0 for any.
    :param clock_offset: seconds by which the server's clock is ahead of this machine's.
    :param s3_endpoint: address of an S3 server that stands behind the addresses instead of the own storage.
    :param s3_bucket: bucket there; it has to exist.
    :param s3_key: access key there.
    :param s3_secret: its secret.
    :param s3_region: region that addresses are signed for.
    """

    title = "Perseus"
    fixed = ("port", "api_key", "s3_endpoint", "s3_bucket", "s3_key", "s3_secret", "s3_region")

    api_key: Optional[str] = attrs.field(default=None, repr=False)
    upload_delay: float = attrs.field(default=0.0, validator=a_number)
    compare_hash: bool = True
    known: str = attrs.field(default="409", validator=a_word("409", "no-url"))
    recreate_pending: bool = False
    create_status: int = attrs.field(default=200, validator=a_word(200, 201))
    url_seconds: int = attrs.field(default=3600, validator=a_size)
    signed_type: str = ""
    echo_hash: bool = True
    max_size: int = attrs.field(default=0, validator=a_count)
    clock_offset: float = 0.0
    s3_endpoint: str = ""
    s3_bucket: str = "perseus-files"
    s3_key: str = "S3TEST"
    s3_secret: str = attrs.field(default="S3TESTSECRET", repr=False)
    s3_region: str = "us-east-1"
