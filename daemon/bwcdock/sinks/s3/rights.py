"""What the upload credential may do beyond what it needs, tried where nothing can come of it."""

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from botocore.exceptions import ClientError

from bwcdock.sinks.s3.abilities import Probing
from bwcdock.sinks.s3.bucket import Bucket
from bwcdock.sinks.s3.telling import answer, told

_SOME_DAY = datetime(2100, 1, 1, tzinfo=UTC)


def too_many(bucket: Bucket, probing: Probing) -> tuple[str, ...]:
    """The rights that config/s3-policy.json denies and this credential has, of those that can be tried.

    A store asks who may before it looks at what there is. So what it says of an object that was never there (a name
    made up for this one try, a version that is none) tells the right; refused as "no such thing" means: allowed.
    """
    return tuple(right for right, attempt in _attempts(bucket, probing) if _allowed(bucket, attempt))


def _attempts(bucket: Bucket, probing: Probing) -> Iterator[tuple[str, Callable[[], object]]]:
    client = bucket.client
    never = bucket.at(f"{probing.folder}/never-{secrets.token_hex(8)}")
    version = secrets.token_hex(16)
    yield "s3:DeleteObjectVersion", lambda: client.delete_object(**never, VersionId=version)
    # Where it is allowed, this leaves a delete marker under a name that nothing else will ever have.
    yield "s3:DeleteObject", lambda: client.delete_object(**never)
    yield (
        "s3:BypassGovernanceRetention",
        lambda: client.put_object_retention(
            **never,
            VersionId=version,
            Retention={"Mode": "COMPLIANCE", "RetainUntilDate": _SOME_DAY},
            BypassGovernanceRetention=True,
        ),
    )
    if probing.versions():  # what is switched on already is switched on once more
        yield (
            "s3:PutBucketVersioning",
            lambda: client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"}),
        )


def _allowed(bucket: Bucket, attempt: Callable[[], object]) -> bool:
    with told("try rights", bucket.sink):
        try:
            attempt()
        except ClientError as error:
            status = answer(error)[0]
            if status in {401, 403}:
                return False
            if status >= 500:
                raise
    return True
