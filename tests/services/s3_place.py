"""Where an S3 store is, and as whom it is asked."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class S3Place:
    """An address and a key."""

    endpoint: str
    access_key: str
    secret_key: str
