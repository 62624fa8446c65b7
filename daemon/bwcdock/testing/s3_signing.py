"""Who sent a request to the S3 store of the tests, by its signature (AWS version 4), and whether he may."""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from bwcdock.testing.s3_vault import Refused

SKEW = timedelta(minutes=15)

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody with a key. ``policy`` is a policy document; without one he may do everything."""

    secret: str
    policy: Mapping[str, Any] | None = None

    def may(self, action: str, resource: str) -> bool:
        """Whether the policy allows it and nothing in it denies it."""
        if self.policy is None:
            return True
        effects = {
            statement["Effect"]
            for statement in self.policy["Statement"]
            if any(fnmatchcase(action, each) for each in _many(statement["Action"]))
            and any(fnmatchcase(resource, each) for each in _many(statement["Resource"]))
        }
        return effects == {"Allow"}


def _many(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def signed_by(
    users: Mapping[str, User], now: datetime, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> User:
    """Who signed exactly this; ``Refused`` as a store would refuse. ``headers`` are by small letters."""
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if found is None:
        raise Refused(403, "AccessDenied")
    access, day, region, names, signature = found.groups()
    user = users.get(access)
    if user is None:
        raise Refused(403, "InvalidAccessKeyId")
    moment = headers.get("x-amz-date", "")
    payload = headers.get("x-amz-content-sha256", "")
    path, _, query = target.partition("?")
    pairs = sorted((one.partition("=")[0], one.partition("=")[2]) for one in query.split("&") if one)
    signed = names.split(";")
    request = "\n".join(
        [
            method,
            path,
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed),
            "",
            names,
            payload,
        ]
    )
    scope = f"{day}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{user.secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    if not hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), signature):
        raise Refused(403, "SignatureDoesNotMatch")
    if abs(datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) - now) > SKEW:
        raise Refused(403, "RequestTimeTooSkewed")
    if payload != "UNSIGNED-PAYLOAD" and payload != hashlib.sha256(body).hexdigest():
        raise Refused(400, "XAmzContentSHA256Mismatch")
    return user
