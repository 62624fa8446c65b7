"""What an S3 store answers instead of doing it, in the words of the contract; no answer's own text is ever repeated.

A store may write into it what it likes, also what was signed and by whom; its code and status are enough.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, SSLError

from bwcdock.errors import Ailment, BwcdockError, Declined, Unreachable

_CODES: dict[Ailment, tuple[str, ...]] = {
    "away": (),
    "credentials": (
        "403", "401", "AccessDenied", "AccountProblem", "AllAccessDisabled", "AuthorizationHeaderMalformed",
        "ExpiredToken", "InvalidAccessKeyId", "InvalidSecurity", "InvalidToken", "NotSignedUp", "SignatureDoesNotMatch",
    ),
    "clock": ("RequestTimeTooSkewed", "RequestExpired"),
    "full": (
        "507", "InsufficientCapacity", "InsufficientStorage", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded",
        "XMinioStorageFull", "StorageFull", "NoSpaceLeftOnDevice", "TooManyObjects",
    ),
}  # fmt: skip
_AILMENTS: dict[str, Ailment] = {code: ailment for ailment, codes in _CODES.items() for code in codes}

_HINTS: dict[Ailment, str] = {
    "away": "It is tried again. Where it lasts, look after the store and the network to it.",
    "full": "Make room in the store, or raise the quota of the station's account; the recordings wait in the spool.",
    "credentials": "Give the station's account the rights in config/s3-policy.json, or correct its keys here.",
    "clock": "Set the clocks of this station and of the store right: they are more than a quarter of an hour apart.",
}

_NEVER = {
    "EntityTooLarge": "It is larger than the store takes. Keep it in another sink.",
    "KeyTooLong": "Its name is too long for the store: shorten the sink's layout or prefix.",
    "KeyTooLongError": "Its name is too long for the store: shorten the sink's layout or prefix.",
    "InvalidObjectName": "The store does not take its name: change the sink's layout.",
    "InvalidURI": "The store does not take its name: change the sink's layout.",
    "XMinioInvalidObjectName": "The store does not take its name: change the sink's layout.",
    "MetadataTooLarge": "The store takes no description beside an object: use another store.",
    "InvalidArgument": "Look into the store's own log for what it does not like about it.",
    "InvalidRequest": "Look into the store's own log for what it does not like about it.",
    "InvalidTag": "Look into the store's own log for what it does not like about it.",
}
"""Codes that say: this object never, and what to do about it."""

_BUCKET = {"NoSuchBucket", "InvalidBucketName"}
_DOUBTFUL = 500
"""From this status on a request may have been carried out and not told."""


def answer(error: BaseException) -> tuple[int, str]:
    """The status and the code of what the store answered; 0 and "" where it did not answer."""
    if not isinstance(error, ClientError):
        return 0, ""
    told = error.response
    return int(told.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)), str(told.get("Error", {}).get("Code", ""))


def missing(error: BaseException) -> bool:
    """Whether it says that there is no such thing."""
    status, code = answer(error)
    return status == 404 and code not in _BUCKET


def taken(error: BaseException) -> bool:
    """Whether it says that something is there already, and stays."""
    return answer(error)[0] == 412


def doubtful(error: BaseException) -> bool:
    """Whether the request may have been carried out all the same: no answer, or one of a server in trouble."""
    status, _ = answer(error)
    return status == 0 or status >= _DOUBTFUL


def in_our_words(error: Exception, op: str, sink: str, *, keyed: bool) -> BwcdockError:
    """The error of the contract. ``keyed`` says that one object is concerned, which the store may decline."""
    status, code = answer(error)
    if not status:
        return _silent(error, op, sink)
    said = f"{code} ({status})" if code and code != str(status) else str(status)
    if keyed and status < _DOUBTFUL and code in _NEVER:
        return Declined(op, f"{sink} does not take this object: {said}.", _NEVER[code])
    ailment = _AILMENTS.get(code) or _AILMENTS.get(str(status)) or "away"
    hint = _HINTS[ailment]
    if code == "403":  # an answer without a body says no more
        hint += " Where both are right, compare the store's clock with the station's."
    if code in _BUCKET:
        hint = "Correct the sink's bucket in the settings, or have the store's administrator make it."
    if code == "BadDigest":
        hint = "The bytes were damaged on the way, and nothing was kept; they are sent again. Look after the network."
    return Unreachable(op, f"{sink} answers {said}.", hint, sink, ailment=ailment)


def _silent(error: Exception, op: str, sink: str) -> Unreachable:
    if isinstance(error, SSLError):
        what = f"{sink} does not prove who it is: its certificate is not accepted."
        return Unreachable(op, what, "Name its authority in the sink's `ca`, and look at its certificate.", sink)
    if isinstance(error, EndpointConnectionError):
        what = f"{sink} cannot be reached: no connection."
    else:
        what = f"{sink} broke off: {type(error).__name__}."
    return Unreachable(op, what, _HINTS["away"], sink)


@contextmanager
def told(op: str, sink: str, *, keyed: bool = False) -> Iterator[None]:
    """Everything the store or the client says in here, in the words of the contract."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise in_our_words(error, op, sink, keyed=keyed) from error
