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

from smartxfer.local.s3.problems import Problem

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


#: Longest life of a signed address, in seconds.
WEEK = 604_800
#: How far ahead of the server's clock an address may be signed, in seconds.
SKEW = 900
_NEEDED = (
    "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders",
    "X-Amz-Expires",
)  # fmt: skip


def check(keys: Keys, method: str, target: str, headers: Mapping[str, str], now: float) -> Dict[str, str]:
    """Refuse a request that is not signed for what it does.

    :param keys: whose signatures count.
    :param target: path and query as on the request line.
    :param headers: values by lower-case name.
    :param now: seconds since 1970.
    :return: the arguments in the query.
    :raises Problem: it is not signed, or not for this, or no longer.
    """
    given = arguments(target)
    _one_mechanism(given, headers)
    missing = [name for name in _NEEDED if not given.get(name)]
    if missing:
        raise _parameters(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
            "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    if given["X-Amz-Algorithm"] != ALGORITHM:
        raise _parameters(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    if "X-Amz-Security-Token" in given:
        raise Problem("InvalidToken", 400)
    begin, life = _times(given)
    _credential(keys, given)
    _in_time(begin, life, now)
    names = given["X-Amz-SignedHeaders"].lower().split(";")
    unsigned = sorted(name for name in headers if name.startswith("x-amz-") and name not in names)
    if unsigned:
        message = "There were headers present in the request which were not signed"
        raise Problem("AccessDenied", message=message, fields={"HeadersNotSigned": ", ".join(unsigned)})
    bound = {name: headers.get(name, "") for name in names}
    right = signed(keys, method, target, bound)
    provided = given["X-Amz-Signature"]
    if "host" not in names or not hmac.compare_digest(right.signature.encode(), provided.encode("utf-8")):
        fields = {"AWSAccessKeyId": keys.key, "StringToSign": right.text, "SignatureProvided": provided}
        raise Problem("SignatureDoesNotMatch", fields={**fields, "CanonicalRequest": right.canonical})
    return given


def _one_mechanism(given: Mapping[str, str], headers: Mapping[str, str]) -> None:
    query = "X-Amz-Algorithm" in given or "Signature" in given
    if "authorization" in headers:
        if query:
            # What stood in the header is left out: it is somebody's secret.
            message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature "
            message += "query string parameter or the Authorization header should be specified"
            raise Problem("InvalidArgument", 400, message, fields={"ArgumentName": "Authorization"})
        raise Problem("InvalidArgument", 400, "Unsupported Authorization Type")
    if "Signature" in given:
        message = f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}."
        raise Problem("InvalidRequest", 400, message)
    if not any(name in given for name in _NEEDED):
        raise Problem("AccessDenied")


def _times(given: Mapping[str, str]) -> Tuple[float, int]:
    """When it was signed (seconds since 1970), and for how many seconds it is good."""
    try:
        moment = dt.datetime.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.timezone.utc)
    except ValueError:
        raise _parameters("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"") from None
    try:
        life = int(given["X-Amz-Expires"])
    except ValueError:
        raise _parameters("X-Amz-Expires should be a number") from None
    if life < 0:
        raise _parameters("X-Amz-Expires must be non-negative")
    if life > WEEK:
        message = "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires "
        raise _parameters(f"{message}must be less than {WEEK} seconds")
    return moment.timestamp(), life


def _credential(keys: Keys, given: Mapping[str, str]) -> None:
    key, _, scope = given["X-Amz-Credential"].partition("/")
    if key != keys.key:
        raise Problem("InvalidAccessKeyId", fields={"AWSAccessKeyId": key})
    if scope != keys.scope(given["X-Amz-Date"]):
        right = keys.scope(given["X-Amz-Date"])
        raise _parameters(f"Error parsing the X-Amz-Credential parameter; the scope should be {right}")


def _in_time(begin: float, life: int, now: float) -> None:
    if now > begin + life:
        fields = {"X-Amz-Expires": str(life), "Expires": _iso(begin + life), "ServerTime": _iso(now)}
        raise Problem("AccessDenied", message="Request has expired", fields=fields)
    if now < begin - SKEW:
        raise Problem("AccessDenied", message="Request is not valid yet", fields={"ServerTime": _iso(now)})


def _iso(seconds: float) -> str:
    return dt.datetime.fromtimestamp(int(seconds), dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parameters(message: str) -> Problem:
    return Problem("AuthorizationQueryParametersError", 400, message)
