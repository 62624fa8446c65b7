"""The S3 sink and whoever stands against it: rights, errors told apart, certificates, the machine's environment."""

import ssl
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from ipaddress import ip_address
from pathlib import Path

import pytest
from bwcdock.clock import WallClock
from bwcdock.errors import Declined, Unreachable
from bwcdock.sinks.s3 import connecting
from bwcdock.sinks.s3.store import S3Store
from bwcdock.testing.s3_server import S3Server
from bwcdock.testing.s3_signing import User
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from s3_beds import LEAST_PART, Account, S3Bed
from s3_worlds import World, policy, world

KEY = "u/d/r/a.mp4"
FAR = datetime(2040, 1, 1, tzinfo=UTC)


@pytest.fixture
def made(tmp_path: Path):
    with world(tmp_path) as one:
        yield one


def put(made: World, size: int = 1000, until: datetime | None = FAR, store: S3Store | None = None) -> bytes:
    path, data, digests = made.source(size)
    (store or made.bed.sink()).put(KEY, path, digests, until)
    return data


# --- rights -----------------------------------------------------------------------------------------------------------


def test_the_shipped_policy_is_enough_and_no_more(made: World) -> None:
    """Every test here goes by it; what it allows is also needed."""
    store = made.bed.sink()
    assert store.can_more() == ()
    put(made, LEAST_PART + 1, until=None, store=store)
    store.stat(KEY)
    list(store.keys("", ""))
    path, _, digests = made.source(LEAST_PART + 1)
    made.bed.cut("cut", path, digests, 10)
    store.put("cut", path, digests, None)
    store.tidy(FAR)
    allowed = {action for each in policy()["Statement"] if each["Effect"] == "Allow" for action in each["Action"]}
    asked = made.server.rights
    assert allowed - asked == set()


def test_rights_that_are_too_many_are_told(made: World) -> None:
    found = policy()
    all_of_it = {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    made.server.users["dock"] = User(secret="dock's secret", policy=all_of_it)
    data = put(made)
    told = made.bed.sink().can_more()
    assert set(told) == {
        "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:PutBucketVersioning",
    }  # fmt: skip
    assert made.versions(KEY) == [data]
    for right in told:
        (deny,) = [each for each in found["Statement"] if each["Effect"] == "Deny"]
        deny = {**deny, "Action": [each for each in deny["Action"] if each != right]}
        allow = {"Effect": "Allow", "Action": [right], "Resource": deny["Resource"]}
        rest = [each for each in found["Statement"] if each["Effect"] == "Allow"]
        made.server.users["dock"] = User(secret="dock's secret", policy={"Statement": [*rest, allow, deny]})
        assert made.bed.sink().can_more() == (right,)


def test_the_policy_denies_what_deletes_or_loosens() -> None:
    (deny,) = [each["Action"] for each in policy()["Statement"] if each["Effect"] == "Deny"]
    allowed = {action for each in policy()["Statement"] if each["Effect"] == "Allow" for action in each["Action"]}
    assert deny == sorted(deny)
    assert not [each for each in allowed if fnmatchcase(each, "*Delete*") or "Bypass" in each or "PutBucket" in each]
    assert {"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"} <= set(deny)
    assert not allowed & set(deny)


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "ailment", "hint"),
    [
        ("busy", "away", "tried again"),
        ("error before", "away", "tried again"),
        ("drop before", "away", "tried again"),
        ("full", "full", "room"),
        ("denied", "credentials", "s3-policy.json"),
        ("unknown key", "credentials", "keys"),
        ("skew", "clock", "clock"),
    ],
)
@pytest.mark.parametrize("op", ["HeadObject", "PutObject", "UploadPart", "PutObjectRetention", "ListObjectVersions"])
def test_what_ails_the_store(made: World, how, ailment, hint, op) -> None:
    store = made.bed.sink()
    store.abilities()
    made.server.lie(op, how, nth=0)
    if (op, how) == ("HeadObject", "skew"):  # an answer without a body says no more than 403
        ailment = "credentials"
    path, _, digests = made.source(LEAST_PART + 1 if op == "UploadPart" else 10)
    with pytest.raises(Unreachable) as told:
        store.put(KEY, path, digests, FAR)
    assert (told.value.sink, told.value.ailment) == ("cloud", ailment)
    assert hint in told.value.hint
    assert "dock's secret" not in str(told.value)


def test_an_object_that_is_declined(made: World) -> None:
    path, _, digests = made.source(10)
    made.server.lie("PutObject", "too large", about=KEY)
    with pytest.raises(Declined, match="EntityTooLarge"):
        made.bed.sink().put(KEY, path, digests, FAR)


def test_wrong_keys_and_clocks(made: World) -> None:
    for account in (Account("dock", "wrong secret"), Account("nobody", "secret of nobody")):
        made.bed.account = account
        with pytest.raises(Unreachable, match="403") as told:
            made.bed.sink().stat(KEY)
        assert told.value.ailment == "credentials"
        assert account.secret not in f"{told.value} {told.value.__cause__}"
    made.bed.account = Account("dock", "dock's secret")
    made.server.now = lambda: WallClock().now() + timedelta(minutes=16)
    with pytest.raises(Unreachable) as told:
        made.bed.sink().marker()
    assert told.value.ailment == "clock"


def test_a_bucket_that_is_not_there(made: World) -> None:
    made.server.users["dock"] = User(secret="dock's secret")
    with pytest.raises(Unreachable, match="NoSuchBucket") as told:
        made.bed.sink(settings=made.bed.settings(bucket="none")).marker()
    assert "bucket" in told.value.hint


def test_a_store_that_does_not_answer(made: World) -> None:
    settings = made.bed.settings(read_timeout_s=0.2)
    store = made.bed.sink(settings=settings)
    made.server.lie("ListObjectVersions", "hang", nth=0)
    with pytest.raises(Unreachable, match="ReadTimeoutError") as told:
        store.stat(KEY)
    assert told.value.ailment == "away"


def test_a_store_that_is_gone(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        store = made.bed.sink()
        settings = made.bed.settings()
    for one in (store, made.bed.sink(settings=settings)):
        with pytest.raises(Unreachable, match="no connection") as told:
            one.stat(KEY)
        assert told.value.ailment == "away"


# --- TLS, and whose settings ------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """One of its own authority, for loopback; the file of it, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = WallClock().now()
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem, private


def test_an_authority_of_the_bureaus_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing of what the machine's environment says of AWS."""
    for name, value in (
        ("HTTPS_PROXY", "http://127.0.0.1:1"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_CA_BUNDLE", "/nowhere"), ("AWS_CONFIG_FILE", str(tmp_path / "aws")),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    (tmp_path / "aws").write_text("[default\nthis cannot be read")
    connecting._session.cache_clear()  # what it read before would do
    pem, private = certificate(tmp_path, "store")
    other, _ = certificate(tmp_path, "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    users = {"dock": User(secret="dock's secret", policy=policy())}
    with S3Server(users=users, tls=context) as server:
        owner = Account(server.OWNER, server.OWNERS_SECRET)
        bed = S3Bed(
            server.endpoint, server.BUCKET, Account("dock", "dock's secret"), owner, tmp_path / "uploads",
            {"ca": str(pem)},
        )  # fmt: skip
        made = World(server, bed, tmp_path)
        data = put(made, LEAST_PART + 1)
        assert made.versions(KEY) == [data]
        for more in ({"ca": str(other)}, {"ca": None}):
            with pytest.raises(Unreachable, match="certificate is not accepted") as told:
                bed.sink(settings=bed.settings(**more)).stat(KEY)
            assert "`ca`" in told.value.hint
