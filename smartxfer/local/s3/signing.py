"""Presigned URLs: creation and verification of AWS Signature Version 4 in the query.

Source: Perseus protocol, sections A.5 and A.6; Amazon's documentation of Signature Version 4 with
query parameters.
"""

import datetime as dt
import hashlib
import hmac
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import attrs

from smartxfer.local.s3.errors import S3Error

ALGORITHM = "AWS4-HMAC-SHA256"
_STAMP = "%Y%m%dT%H%M%SZ"


@attrs.frozen
class Keys:
    """Key pair that signs.

    :param key: access key.
    :param secret: secret key.
    :param region: region of the signatures.
    """

    key: str
    secret: str = attrs.field(repr=False)
    region: str = "us-east-1"

    def scope(self, stamp: str) -> str:
        """Return the credential scope of a signature of that time."""
        return f"{stamp[:8]}/{self.region}/s3/aws4_request"


class SignatureParts(NamedTuple):
    """A signature and its inputs.

    :param signature: hex.
    :param text: the string to sign.
    :param canonical: the canonical request in it.
    """

    signature: str
    text: str
    canonical: str


def stamp_of(seconds: float) -> str:
    """Format a time (seconds since 1970) as in ``X-Amz-Date``."""
    return dt.datetime.fromtimestamp(int(seconds), dt.timezone.utc).strftime(_STAMP)


def encode_path(path: str) -> str:
    """Percent-encode a path as S3 does: all but unreserved characters and slashes."""
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
    """Return a signed URL.

    :param method: permitted method.
    :param url: scheme, host and path, percent-encoded.
    :param seconds: validity; S3 accepts up to 604800.
    :param now: seconds since 1970.
    :param query: further arguments, signed too.
    :param headers: further headers, which the request must have with the same values.
    """
    parts = urlsplit(url)
    stamp = stamp_of(now)
    bound = {"host": parts.netloc, **{name.lower(): value for name, value in (headers or {}).items()}}
    pairs = {
        **(query or {}), "X-Amz-Algorithm": ALGORITHM, "X-Amz-Credential": f"{keys.key}/{keys.scope(stamp)}",
        "X-Amz-Date": stamp, "X-Amz-Expires": str(int(seconds)),
        "X-Amz-SignedHeaders": ";".join(sorted(bound)),
    }
    target = f"{parts.path}?{_join_query(pairs.items())}"
    return f"{url}?{_join_query(pairs.items())}&X-Amz-Signature={sign(keys, method, target, bound).signature}"


def sign(keys: Keys, method: str, target: str, headers: Mapping[str, str]) -> SignatureParts:
    """Compute the signature of a request.

    Path and query are decoded and encoded again, so that a client's percent-encoding does not matter.

    :param target: path and query; a signature in it is ignored.
    :param headers: the signed headers by lower-case name.
    """
    path, _, query = target.partition("?")
    pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "X-Amz-Signature"]
    stamp = dict(pairs).get("X-Amz-Date", "")
    canonical = "\n".join(
        [
            method, encode_path(unquote(path)) or "/", "&".join(sorted(_encoded(pairs))),
            "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in sorted(headers)),
            ";".join(sorted(headers)), "UNSIGNED-PAYLOAD",
        ]
    )
    digest = hashlib.sha256(canonical.encode("utf-8")).hexdigest()
    text = "\n".join([ALGORITHM, stamp, keys.scope(stamp), digest])
    key = f"AWS4{keys.secret}".encode()
    for word in keys.scope(stamp).split("/"):
        key = hmac.new(key, word.encode("utf-8"), hashlib.sha256).digest()
    return SignatureParts(hmac.new(key, text.encode("utf-8"), hashlib.sha256).hexdigest(), text, canonical)


def _encoded(pairs: Iterable[Tuple[str, str]]) -> List[str]:
    return [f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs]


def _join_query(pairs: Iterable[Tuple[str, str]]) -> str:
    return "&".join(_encoded(pairs))


def query_arguments(target: str) -> Dict[str, str]:
    """Return the arguments in the query of a target, by name."""
    return dict(parse_qsl(target.partition("?")[2], keep_blank_values=True))


#: Longest validity of a signed URL, in seconds.
MAX_EXPIRY = 604_800
#: Largest clock difference of a signature from the future, in seconds.
MAX_CLOCK_SKEW = 900
_REQUIRED = (
    "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders",
    "X-Amz-Expires",
)  # fmt: skip


def verify(keys: Keys, method: str, target: str, headers: Mapping[str, str], now: float) -> Dict[str, str]:
    """Verify the signature of a request.

    :param keys: the accepted key pair.
    :param target: path and query as on the request line.
    :param headers: values by lower-case name.
    :param now: seconds since 1970.
    :return: the arguments in the query.
    :raises S3Error: the signature is missing, invalid or expired.
    """
    value = query_arguments(target)
    _check_single_mechanism(value, headers)
    missing = [name for name in _REQUIRED if not value.get(name)]
    if missing:
        raise _parameter_error(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
            "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    if value["X-Amz-Algorithm"] != ALGORITHM:
        raise _parameter_error(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    if "X-Amz-Security-Token" in value:
        raise S3Error("InvalidToken", 400)
    begin, life = _signing_times(value)
    _check_credential(keys, value)
    _check_time(begin, life, now)
    names = value["X-Amz-SignedHeaders"].lower().split(";")
    unsigned = sorted(name for name in headers if name.startswith("x-amz-") and name not in names)
    if unsigned:
        message = "There were headers present in the request which were not signed"
        raise S3Error("AccessDenied", message=message, fields={"HeadersNotSigned": ", ".join(unsigned)})
    bound = {name: headers.get(name, "") for name in names}
    right = sign(keys, method, target, bound)
    provided = value["X-Amz-Signature"]
    if "host" not in names or not hmac.compare_digest(right.signature.encode(), provided.encode("utf-8")):
        fields = {"AWSAccessKeyId": keys.key, "StringToSign": right.text, "SignatureProvided": provided}
        raise S3Error("SignatureDoesNotMatch", fields={**fields, "CanonicalRequest": right.canonical})
    return value


def _check_single_mechanism(arguments: Mapping[str, str], headers: Mapping[str, str]) -> None:
    query = "X-Amz-Algorithm" in arguments or "Signature" in arguments
    if "authorization" in headers:
        if query:
            # The header is not repeated, because it may contain a secret.
            message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature "
            message += "query string parameter or the Authorization header should be specified"
            raise S3Error("InvalidArgument", 400, message, fields={"ArgumentName": "Authorization"})
        raise S3Error("InvalidArgument", 400, "Unsupported Authorization Type")
    if "Signature" in arguments:
        message = f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}."
        raise S3Error("InvalidRequest", 400, message)
    if not any(name in arguments for name in _REQUIRED):
        raise S3Error("AccessDenied")


def _signing_times(arguments: Mapping[str, str]) -> Tuple[float, int]:
    """Return the time of the signature (seconds since 1970), and its validity in seconds."""
    try:
        moment = dt.datetime.strptime(arguments["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(
            tzinfo=dt.timezone.utc
        )
    except ValueError:
        raise _parameter_error(
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
        ) from None
    try:
        life = int(arguments["X-Amz-Expires"])
    except ValueError:
        raise _parameter_error("X-Amz-Expires should be a number") from None
    if life < 0:
        raise _parameter_error("X-Amz-Expires must be non-negative")
    if life > MAX_EXPIRY:
        message = "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires "
        raise _parameter_error(f"{message}must be less than {MAX_EXPIRY} seconds")
    return moment.timestamp(), life


def _check_credential(keys: Keys, arguments: Mapping[str, str]) -> None:
    key, _, scope = arguments["X-Amz-Credential"].partition("/")
    if key != keys.key:
        raise S3Error("InvalidAccessKeyId", fields={"AWSAccessKeyId": key})
    if scope != keys.scope(arguments["X-Amz-Date"]):
        right = keys.scope(arguments["X-Amz-Date"])
        raise _parameter_error(f"Error parsing the X-Amz-Credential parameter; the scope should be {right}")


def _check_time(begin: float, life: int, now: float) -> None:
    if now > begin + life:
        fields = {"X-Amz-Expires": str(life), "Expires": _iso(begin + life), "ServerTime": _iso(now)}
        raise S3Error("AccessDenied", message="Request has expired", fields=fields)
    if now < begin - MAX_CLOCK_SKEW:
        raise S3Error("AccessDenied", message="Request is not valid yet", fields={"ServerTime": _iso(now)})


def _iso(seconds: float) -> str:
    return dt.datetime.fromtimestamp(int(seconds), dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parameter_error(message: str) -> S3Error:
    return S3Error("AuthorizationQueryParametersError", 400, message)
