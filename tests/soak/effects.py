"""Effects of the server's faults.

``{n}`` becomes an offset within the size of the case, ``{rate}`` a speed at which the case takes part of a second.
"""

#: For requests that carry a file's bytes up.
UP = (
    "reset-before", "reset-after {n}", "lose-answer", "status 500", "status 503 retry-after=0",
    "replace 502 body=html", "rate {rate}",
)
#: For requests that fetch a file's bytes.
DOWN = (
    "reset-before", "reset-after-sent {n}", "truncate {n}", "status 503 retry-after=0",
    "status 502 body=html", "no-length chunked truncate {n}", "rate {rate}",
)
#: For small calls that may be repeated.
CALL = ("reset-before", "lose-answer", "status 500", "status 503 retry-after=0", "truncate 0", "replace 502 body=html")
#: Found only by a checksum. Give them only for requests that are protected by one.
FLIP_UP, FLIP_DOWN = ("flip-in {n}",), ("flip {n}",)
