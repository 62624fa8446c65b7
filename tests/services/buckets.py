"""Buckets on real stores, with the rights that a deployment gives its docks."""

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from bwcdock import resources
from bwcdock.clock import WallClock
from bwcdock.sinks.s3.connecting import connect
from s3_beds import Account, S3Bed, new_bucket


def bed_with_policy(
    endpoint: str,
    owner: Account,
    dock: Account,
    principal: str,
    uploads: Path,
    *,
    unknown: Collection[str] = (),
    **more: Any,
) -> S3Bed:
    """A new bucket on which ``dock`` has the rights of the shipped policy and no others, and a place in it.

    ``unknown`` are the rights that the store has no word for, and so nobody has there.
    """
    bucket = new_bucket(endpoint, owner)
    text = (
        (resources.config_dir() / "s3-policy.json")
        .read_text()
        .replace("arn:aws:s3:::evidence", f"arn:aws:s3:::{bucket}")
    )
    policy = json.loads(text)
    for statement in policy["Statement"]:
        statement["Principal"] = {"AWS": principal}
        statement["Action"] = [action for action in statement["Action"] if action not in unknown]
    # What a dock stores belongs to the dock's account, on Ceph; the bucket's owner may look at it all the same.
    all_of_it = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    whose = {"AWS": principal.replace(dock.access, owner.access)}
    policy["Statement"].append({"Effect": "Allow", "Principal": whose, "Action": "s3:*", "Resource": all_of_it})
    bed = Unmarked(endpoint=endpoint, bucket=bucket, account=dock, owner=owner, uploads=uploads, more=more)
    bed.outside.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    bed.identity = bed.sink().initialise()
    return bed


class Unmarked(S3Bed):
    """A place that is marked later, when its credential has its rights."""

    def __post_init__(self) -> None:
        self.outside = connect(self.settings(), self.owner.access, self.owner.secret)


def cannot_undo(bed: S3Bed, key: str) -> None:
    """What is locked under a key can neither be deleted nor given back earlier by the dock's own credential."""
    version = bed.outside.head_object(Bucket=bed.bucket, Key=key)["VersionId"]
    sooner = {"Mode": "COMPLIANCE", "RetainUntilDate": WallClock().now() + timedelta(days=1)}
    one = {"Bucket": bed.bucket, "Key": key, "VersionId": version}
    dock = bed.sink().client
    for attempt in (
        lambda: dock.delete_object(**one),
        lambda: dock.delete_object(**one, BypassGovernanceRetention=True),
        lambda: dock.delete_object(Bucket=bed.bucket, Key=key),
        lambda: dock.put_object_retention(**one, Retention=sooner),
        lambda: dock.put_object_retention(**one, Retention=sooner, BypassGovernanceRetention=True),
    ):
        with pytest.raises(ClientError) as told:
            attempt()
        assert told.value.response["ResponseMetadata"]["HTTPStatusCode"] in {400, 403, 405}


def locked_until(bed: S3Bed, key: str) -> datetime:
    """What the store says of the lock."""
    return bed.outside.get_object_retention(Bucket=bed.bucket, Key=key)["Retention"]["RetainUntilDate"]
