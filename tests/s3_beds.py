"""A place in an S3 store for the sink suite, whichever store it is: it is hurt from the client's side alone."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from bwcdock.clock import WallClock
from bwcdock.core.facts import Digests
from bwcdock.settings import S3Sink
from bwcdock.sinks.s3.connecting import connect
from bwcdock.sinks.s3.store import S3Store
from bwcdock.testing.calls import Died

LEAST_PART = 5 << 20
"""Bytes of a part, as few as every store takes."""

SUITE_SIZE = 2 * LEAST_PART + 4096 + 123
"""What the suite sends: two parts and a little."""


@dataclass(frozen=True)
class Account:
    """A key and its secret."""

    access: str
    secret: str


@dataclass
class S3Bed:
    """A fresh place in ``bucket``, which is there, of the store at ``endpoint``.

    ``account`` is the upload credential, ``owner`` may do everything. ``uploads`` is the folder for the notes.
    ``more`` are settings of the sink.
    """

    endpoint: str
    bucket: str
    account: Account
    owner: Account
    uploads: Path
    more: dict[str, Any] = field(default_factory=dict)
    parts_at_once: int = 2
    identity: str = ""

    def __post_init__(self) -> None:
        self.outside = connect(self.settings(), self.owner.access, self.owner.secret)
        self.identity = self.sink().initialise()

    def settings(self, **more: Any) -> S3Sink:
        told = {
            "name": "cloud",
            "kind": "s3",
            "endpoint": self.endpoint,
            "bucket": self.bucket,
            "access_key": {"credential": "access"},
            "secret_key": {"credential": "secret"},
            "part": LEAST_PART,
            "parts_at_once": self.parts_at_once,
            "read_timeout_s": 20.0,
        }
        return S3Sink.model_validate({**told, **self.more, **more})

    def sink(self, *, settings: S3Sink | None = None, **more: Any) -> S3Store:
        told = {"uploads": self.uploads, "now": WallClock().now, "identity": self.identity, "station": "test-dock"}
        return S3Store(
            settings or self.settings(),
            access_key=self.account.access,
            secret_key=self.account.secret,
            **(told | more),
        )

    def failing(self, how: Literal["before", "after"]) -> S3Store:
        """The store goes away with the next put, before it or right after, and does not come back."""
        store, state = self.sink(), {"concerned": False, "gone": False}
        url = self.endpoint

        def looks(params: dict[str, Any], **_: Any) -> None:
            state["concerned"] = not params["Key"].removeprefix(self._before).startswith(".")
            if state["concerned"] and how == "before":
                raise EndpointConnectionError(endpoint_url=url)

        def called(**_: Any) -> None:
            if state["concerned"]:
                state["gone"] = True
                raise ReadTimeoutError(endpoint_url=url)

        def refuses(**_: Any) -> None:
            if state["gone"]:
                raise EndpointConnectionError(endpoint_url=url)

        for op in ("PutObject", "CompleteMultipartUpload"):
            store.client.meta.events.register(f"before-parameter-build.s3.{op}", looks)
            store.client.meta.events.register(f"after-call.s3.{op}", called)
        store.client.meta.events.register("before-call.s3", refuses)
        return store

    def cut(self, key: str, source: Path, digests: Digests, at: int) -> None:
        """The process dies when so many bytes were sent; at the latest before the object gets its name."""
        arrived = 0

        def pace(size: int) -> None:
            nonlocal arrived
            arrived += size
            if arrived > at:
                raise Died

        def dies(params: dict[str, Any], **_: Any) -> None:
            if params["Key"].removeprefix(self._before) == key:
                raise Died

        store = self.sink(settings=self.settings(parts_at_once=1), pace=pace)
        for op in ("PutObject", "CompleteMultipartUpload"):
            store.client.meta.events.register(f"before-parameter-build.s3.{op}", dies)
        with pytest.raises(Died):
            store.put(key, source, digests, None)

    def published(self) -> dict[str, bytes]:
        found = {}
        for page in self.outside.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._before):
            for one in page.get("Contents", []):
                key = one["Key"].removeprefix(self._before)
                if not key.startswith("."):
                    found[key] = self.outside.get_object(Bucket=self.bucket, Key=one["Key"])["Body"].read()
        return found

    def plant(self, key: str, data: bytes) -> None:
        md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
        self.outside.put_object(Bucket=self.bucket, Key=self._before + key, Body=data, ContentMD5=md5)

    def unfinished(self) -> list[str]:
        """The keys of uploads that are open."""
        told = self.outside.list_multipart_uploads(Bucket=self.bucket, Prefix=self._before)
        return [one["Key"].removeprefix(self._before) for one in told.get("Uploads", [])]

    @property
    def _before(self) -> str:
        prefix = self.more.get("prefix", "")
        return f"{prefix}/" if prefix else ""


def new_bucket(endpoint: str, owner: Account, *, lock: bool = True, **more: Any) -> str:
    """A bucket of a name of its own, with versions and object lock; for stores whose owner may make one."""
    name = f"suite-{secrets.token_hex(6)}"
    settings = S3Sink.model_validate(
        {
            "name": "cloud", "kind": "s3", "endpoint": endpoint, "bucket": name,
            "access_key": {"credential": "access"}, "secret_key": {"credential": "secret"}, **more,
        }
    )  # fmt: skip
    client = connect(settings, owner.access, owner.secret)
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=lock)
    return name
