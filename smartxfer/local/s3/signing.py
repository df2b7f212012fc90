"""Presigned addresses: AWS Signature Version 4 in the query, made and checked.

Source: Perseus protocol, sections A.5 and A.6; Amazon's documentation of Signature Version 4 with
query parameters.
"""

import datetime as dt
import hashlib
import hmac
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import attrs

__all__ = ["ALGORITHM", "Keys", "Signed", "encode_path", "presign", "signed", "stamp_of"]

ALGORITHM = "AWS4-HMAC-SHA256"
_STAMP = "%Y%m%dT%H%M%SZ"


@attrs.frozen
class Keys:
    """Who signs.

    :param key: access key.
    :param secret: secret key.
    :param region: that the signatures are for.
    """

    key: str
    secret: str = attrs.field(repr=False)
    region: str = "us-east-1"

    def scope(self, stamp: str) -> str:
        """What a signature of that time is good for."""
        return f"{stamp[:8]}/{self.region}/s3/aws4_request"


class Signed(NamedTuple):
    """A signature, and what it was made of.

    :param signature: hex.
    :param text: the string to sign.
    :param canonical: the canonical request in it.
    """

    signature: str
    text: str
    canonical: str


def stamp_of(seconds: float) -> str:
    """A time (seconds since 1970) as ``X-Amz-Date`` has it."""
    return dt.datetime.fromtimestamp(int(seconds), dt.timezone.utc).strftime(_STAMP)


def encode_path(path: str) -> str:
    """A path percent-encoded as S3 wants it: all but unreserved characters and slashes."""
    return quote(path, safe="/-_.~")


def presign(
    keys: Keys,
    method: str,
    url: str,
    seconds: int,
    now: float,
    *,
    query: Optional[Mapping[str, str]] = None,
    headers: Optional[Mapping[str, str]] = None,
) -> str:
    """A signed address.

    :param method: that it is good for.
    :param url: scheme, host and path, percent-encoded.
    :param seconds: for how long it is good; S3 admits up to 604800.
    :param now: seconds since 1970.
    :param query: further arguments, signed too.
    :param headers: further headers that the request has to have, exactly so.
    """
    parts = urlsplit(url)
    stamp = stamp_of(now)
    bound = {"host": parts.netloc, **{name.lower(): value for name, value in (headers or {}).items()}}
    pairs = {
        **(query or {}),
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{keys.key}/{keys.scope(stamp)}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(int(seconds)),
        "X-Amz-SignedHeaders": ";".join(sorted(bound)),
    }
    target = f"{parts.path}?{_joined(pairs.items())}"
    return f"{url}?{_joined(pairs.items())}&X-Amz-Signature={signed(keys, method, target, bound).signature}"


def signed(keys: Keys, method: str, target: str, headers: Mapping[str, str]) -> Signed:
    """The signature of a request.

    Path and query are decoded and encoded again, so that it does not matter how a client spelt them.

    :param target: path and query; a signature in it is left out.
    :param headers: the signed headers by lower-case name.
    """
    path, _, query = target.partition("?")
    pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "X-Amz-Signature"]
    stamp = dict(pairs).get("X-Amz-Date", "")
    canonical = "\n".join(
        [
            method,
            encode_path(unquote(path)) or "/",
            "&".join(sorted(_encoded(pairs))),
            "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in sorted(headers)),
            ";".join(sorted(headers)),
            "UNSIGNED-PAYLOAD",
        ]
    )
    digest = hashlib.sha256(canonical.encode("utf-8")).hexdigest()
    text = "\n".join([ALGORITHM, stamp, keys.scope(stamp), digest])
    key = f"AWS4{keys.secret}".encode()
    for word in keys.scope(stamp).split("/"):
        key = hmac.new(key, word.encode("utf-8"), hashlib.sha256).digest()
    return Signed(hmac.new(key, text.encode("utf-8"), hashlib.sha256).hexdigest(), text, canonical)


def _encoded(pairs: Iterable[Tuple[str, str]]) -> List[str]:
    return [f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs]


def _joined(pairs: Iterable[Tuple[str, str]]) -> str:
    return "&".join(_encoded(pairs))


def arguments(target: str) -> Dict[str, str]:
    """The arguments in the query of a target, by name."""
    return dict(parse_qsl(target.partition("?")[2], keep_blank_values=True))
