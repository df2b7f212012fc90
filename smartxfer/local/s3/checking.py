"""Whether a request has the right to what it asks: signature, time, and no second way to sign.

Source: Perseus protocol, section A.6.
"""

import datetime as dt
import hmac
from typing import Dict, Mapping, Tuple

from smartxfer.local.s3.problems import Problem
from smartxfer.local.s3.signing import ALGORITHM, Keys, arguments, signed

__all__ = ["check"]

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
        raise Problem(
            "AccessDenied",
            message="There were headers present in the request which were not signed",
            fields={"HeadersNotSigned": ", ".join(unsigned)},
        )
    bound = {name: headers.get(name, "") for name in names}
    right = signed(keys, method, target, bound)
    if "host" not in names or not hmac.compare_digest(
        right.signature.encode(), given["X-Amz-Signature"].encode("utf-8")
    ):
        raise Problem(
            "SignatureDoesNotMatch",
            fields={
                "AWSAccessKeyId": keys.key,
                "StringToSign": right.text,
                "SignatureProvided": given["X-Amz-Signature"],
                "CanonicalRequest": right.canonical,
            },
        )
    return given


def _one_mechanism(given: Mapping[str, str], headers: Mapping[str, str]) -> None:
    query = "X-Amz-Algorithm" in given or "Signature" in given
    if "authorization" in headers:
        if query:
            # What stood in the header is left out: it is somebody's secret.
            raise Problem(
                "InvalidArgument",
                400,
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature "
                "query string parameter or the Authorization header should be specified",
                fields={"ArgumentName": "Authorization"},
            )
        raise Problem("InvalidArgument", 400, "Unsupported Authorization Type")
    if "Signature" in given:
        raise Problem(
            "InvalidRequest",
            400,
            f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}.",
        )
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
        raise _parameters(
            f"X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be "
            f"less than {WEEK} seconds"
        )
    return moment.timestamp(), life


def _credential(keys: Keys, given: Mapping[str, str]) -> None:
    key, _, scope = given["X-Amz-Credential"].partition("/")
    if key != keys.key:
        raise Problem("InvalidAccessKeyId", fields={"AWSAccessKeyId": key})
    if scope != keys.scope(given["X-Amz-Date"]):
        raise _parameters(
            f"Error parsing the X-Amz-Credential parameter; the scope should be "
            f"{keys.scope(given['X-Amz-Date'])}"
        )


def _in_time(begin: float, life: int, now: float) -> None:
    if now > begin + life:
        raise Problem(
            "AccessDenied",
            message="Request has expired",
            fields={
                "X-Amz-Expires": str(life),
                "Expires": _iso(begin + life),
                "ServerTime": _iso(now),
            },
        )
    if now < begin - SKEW:
        raise Problem("AccessDenied", message="Request is not valid yet", fields={"ServerTime": _iso(now)})


def _iso(seconds: float) -> str:
    return dt.datetime.fromtimestamp(int(seconds), dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parameters(message: str) -> Problem:
    return Problem("AuthorizationQueryParametersError", 400, message)
