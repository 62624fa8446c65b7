"""What the S3 store of the tests does on each request: one function an operation, from request to answer."""

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from bwcdock.testing.s3_vault import Refused, Vault, Version

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked; ``headers`` by small letters. ``body`` may be other bytes than came: then the store lies."""

    key: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    came: bytes
    unchecked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered. ``body`` of a HEAD is not sent, its length is told."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def operation(method: str, key: str, query: dict[str, str], headers: dict[str, str]) -> str:
    """The name of what is asked for, as the protocol has it."""
    if not key:
        names = {("GET", "versioning"): "GetBucketVersioning", ("PUT", "versioning"): "PutBucketVersioning"} | {
            ("GET", "object-lock"): "GetObjectLockConfiguration", ("GET", "uploads"): "ListMultipartUploads",
            ("GET", "versions"): "ListObjectVersions", ("GET", "list-type"): "ListObjectsV2",
        }  # fmt: skip
    else:
        names = {
            ("PUT", "retention"): "PutObjectRetention", ("GET", "retention"): "GetObjectRetention",
            ("PUT", "legal-hold"): "PutObjectLegalHold", ("GET", "legal-hold"): "GetObjectLegalHold",
            ("POST", "uploads"): "CreateMultipartUpload", ("PUT", "partNumber"): "UploadPart",
            ("GET", "uploadId"): "ListParts", ("POST", "uploadId"): "CompleteMultipartUpload",
            ("DELETE", "uploadId"): "AbortMultipartUpload",
        }  # fmt: skip
    for (verb, flag), name in names.items():
        if verb == method and flag in query:
            return name
    plain = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
    if not key or method not in plain or "x-amz-copy-source" in headers:
        raise Refused(501, "NotImplemented")
    return plain[method]


def actions(op: str, query: dict[str, str], headers: dict[str, str]) -> list[str]:
    """The rights that it takes."""
    named = {
        "HeadObject": "GetObject", "CreateMultipartUpload": "PutObject", "UploadPart": "PutObject",
        "CompleteMultipartUpload": "PutObject", "ListParts": "ListMultipartUploadParts", "ListObjectsV2": "ListBucket",
        "ListMultipartUploads": "ListBucketMultipartUploads", "ListObjectVersions": "ListBucketVersions",
        "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    }.get(op, op)  # fmt: skip
    versioned = "Version" if "versionId" in query and op in {"GetObject", "HeadObject", "DeleteObject"} else ""
    bypass = ["s3:BypassGovernanceRetention"] if "x-amz-bypass-governance-retention" in headers else []
    return [f"s3:{named}{versioned}", *bypass]


# --- one function an operation ---------------------------------------------------------------------------------------


def put_object(vault: Vault, asked: Request) -> Answer:
    """One request, one object."""
    sha256 = _checked(vault, asked)
    if asked.headers.get("if-none-match") == "*" and vault.habits.conditional_puts:
        vault.absent(asked.key)
    version = vault.put(asked.key, asked.body, etag=_etag(vault, asked), meta=_meta(asked), sha256=sha256)
    return Answer(headers={"ETag": f'"{version.etag}"', **_version(vault, version)})


def head_object(vault: Vault, asked: Request) -> Answer:
    """Everything about an object but its bytes."""
    version = vault.newest(asked.key, asked.query.get("versionId", ""))
    headers = {"ETag": f'"{version.etag}"', "Last-Modified": _http_date(version.modified), **_version(vault, version)}
    headers |= {f"x-amz-meta-{name}": value for name, value in version.meta.items()}
    if version.sha256 and asked.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
        headers |= {"x-amz-checksum-sha256": version.sha256, "x-amz-checksum-type": "FULL_OBJECT"}
    return Answer(headers=headers, body=version.data or b"")


def delete_object(vault: Vault, asked: Request) -> Answer:
    """A marker, or with a version the end of it."""
    vault.delete(asked.key, asked.query.get("versionId", ""))
    return Answer(status=204)


def create_multipart_upload(vault: Vault, asked: Request) -> Answer:
    """What it says of locks is not heard, as by Ceph 16."""
    upload = vault.begin(asked.key, _meta(asked))
    return _xml("InitiateMultipartUploadResult", _tag("Key", asked.key) + _tag("UploadId", upload.id))


def upload_part(vault: Vault, asked: Request) -> Answer:
    """One part; the same number again takes its place."""
    number = int(asked.query["partNumber"])
    if not 1 <= number <= 10_000:
        raise Refused(400, "InvalidArgument")
    upload = vault.upload(asked.key, asked.query["uploadId"])
    _checked(vault, asked)
    etag = _etag(vault, asked)
    upload.parts[number] = (asked.body, etag)
    return Answer(headers={"ETag": f'"{etag}"'})


def list_parts(vault: Vault, asked: Request) -> Answer:
    """What has arrived, by number."""
    upload = vault.upload(asked.key, asked.query["uploadId"])
    after = int(asked.query.get("part-number-marker", 0))
    numbers, more = _page(vault, [number for number in sorted(upload.parts) if number > after])
    told = "".join(
        _tag("Part", _tag("PartNumber", n) + _tag("Size", len(upload.parts[n][0])) + _tag("ETag", upload.parts[n][1]))
        for n in numbers
    )
    marker = _tag("NextPartNumberMarker", numbers[-1]) if more else ""
    return _xml("ListPartsResult", told + marker + _tag("IsTruncated", more))


def complete_multipart_upload(vault: Vault, asked: Request) -> Answer:
    """The parts become an object."""
    upload = vault.upload(asked.key, asked.query["uploadId"])
    if asked.headers.get("if-none-match") == "*" and vault.habits.conditional_completes:
        vault.absent(asked.key)
    named = [(int(_text(part, "PartNumber")), _text(part, "ETag").strip('"')) for part in _parsed(asked.body, "Part")]
    version = vault.complete(upload, named)
    return Answer(
        headers=_version(vault, version), body=_xml("CompleteMultipartUploadResult", _tag("ETag", version.etag)).body
    )


def abort_multipart_upload(vault: Vault, asked: Request) -> Answer:
    """Its parts are forgotten."""
    del vault.uploads[vault.upload(asked.key, asked.query["uploadId"]).id]
    return Answer(status=204)


def put_object_retention(vault: Vault, asked: Request) -> Answer:
    """COMPLIANCE alone: what may be bypassed is of no use here."""
    version = vault.newest(asked.key, asked.query.get("versionId", ""))
    _checked_document(asked)
    (told,) = _parsed(asked.body, "")
    if _text(told, "Mode") != "COMPLIANCE":
        raise Refused(400, "InvalidArgument")
    vault.retain(version, datetime.fromisoformat(_text(told, "RetainUntilDate").replace("Z", "+00:00")))
    return Answer()


def get_object_retention(vault: Vault, asked: Request) -> Answer:
    """Until when it is locked."""
    version = vault.newest(asked.key, asked.query.get("versionId", ""))
    if version.until is None:
        raise Refused(404, "NoSuchObjectLockConfiguration")
    return _xml("Retention", _tag("Mode", "COMPLIANCE") + _tag("RetainUntilDate", _iso(version.until)))


def put_object_legal_hold(vault: Vault, asked: Request) -> Answer:
    """On or off, for whoever may."""
    version = vault.newest(asked.key, asked.query.get("versionId", ""))
    if not vault.habits.object_lock:
        raise Refused(400, "InvalidRequest")
    _checked_document(asked)
    (told,) = _parsed(asked.body, "")
    version.hold = _text(told, "Status") == "ON"
    return Answer()


def get_object_legal_hold(vault: Vault, asked: Request) -> Answer:
    """Whether it is held."""
    version = vault.newest(asked.key, asked.query.get("versionId", ""))
    return _xml("LegalHold", _tag("Status", "ON" if version.hold else "OFF"))


def get_bucket_versioning(vault: Vault, asked: Request) -> Answer:  # noqa: ARG001
    """On, or never switched on."""
    return _xml("VersioningConfiguration", _tag("Status", "Enabled") if vault.habits.versions else "")


def put_bucket_versioning(vault: Vault, asked: Request) -> Answer:
    """Nothing changes: what is on stays on."""
    _checked_document(asked)
    if not vault.habits.versions or b"Enabled" not in asked.body:
        raise Refused(409, "InvalidBucketState")
    return Answer()


def get_object_lock_configuration(vault: Vault, asked: Request) -> Answer:  # noqa: ARG001
    """Whether the bucket was made with it."""
    if not vault.habits.object_lock:
        raise Refused(404, "ObjectLockConfigurationNotFoundError")
    return _xml("ObjectLockConfiguration", _tag("ObjectLockEnabled", "Enabled"))


def list_objects_v2(vault: Vault, asked: Request) -> Answer:
    """Keys, and with a delimiter what they have in common up to it."""
    prefix, delimiter = asked.query.get("prefix", ""), asked.query.get("delimiter", "")
    names: dict[str, Version | None] = {}
    for version in vault.current(prefix):
        head, cut, _ = version.key[len(prefix) :].partition(delimiter) if delimiter else (version.key, "", "")
        names.setdefault(prefix + head + cut if cut else version.key, None if cut else version)
    after = base64.b64decode(asked.query.get("continuation-token", "")).decode()
    shown, more = _page(vault, _behind(list(names), after))
    told = ""
    for name in shown:
        found = names[name]
        if found is None:
            told += _tag("CommonPrefixes", _name(asked, "Prefix", name))
        else:
            told += _tag("Contents", _name(asked, "Key", name) + _described(found))
    token = _tag("NextContinuationToken", base64.b64encode(shown[-1].encode()).decode()) if more else ""
    return _xml("ListBucketResult", told + token + _tag("IsTruncated", more) + _encoding(asked))


def list_object_versions(vault: Vault, asked: Request) -> Answer:
    """Every version and marker."""
    every = vault.versions(asked.query.get("prefix", ""))
    last = (asked.query.get("key-marker", ""), asked.query.get("version-id-marker", ""))
    shown, more = _page(vault, _behind(every, next((v for v in every if (v.key, v.id) == last), None)))
    told = ""
    for version in shown:
        newest = vault.objects[version.key][-1] is version
        facts = _name(asked, "Key", version.key) + _tag("VersionId", version.id) + _tag("IsLatest", newest)
        kind = "DeleteMarker" if version.data is None else "Version"
        told += _tag(kind, facts + _described(version))
    marker = ""
    if more:
        marker = _name(asked, "NextKeyMarker", shown[-1].key) + _tag("NextVersionIdMarker", shown[-1].id)
    return _xml("ListVersionsResult", told + marker + _tag("IsTruncated", more) + _encoding(asked))


def list_multipart_uploads(vault: Vault, asked: Request) -> Answer:
    """Those that are not finished, by key."""
    prefix = asked.query.get("prefix", "")
    every = sorted((u for u in vault.uploads.values() if u.key.startswith(prefix)), key=lambda u: (u.key, u.begun))
    last = (asked.query.get("key-marker", ""), asked.query.get("upload-id-marker", ""))
    shown, more = _page(vault, _behind(every, next((u for u in every if (u.key, u.id) == last), None)))
    told = "".join(
        _tag("Upload", _name(asked, "Key", u.key) + _tag("UploadId", u.id) + _tag("Initiated", _iso(u.begun)))
        for u in shown
    )
    marker = ""
    if more:
        marker = _name(asked, "NextKeyMarker", shown[-1].key) + _tag("NextUploadIdMarker", shown[-1].id)
    return _xml("ListMultipartUploadsResult", told + marker + _tag("IsTruncated", more) + _encoding(asked))


_FUNCTIONS: tuple[Callable[[Vault, Request], Answer], ...] = (
    put_object, head_object, delete_object, create_multipart_upload, upload_part, list_parts,
    complete_multipart_upload, abort_multipart_upload, put_object_retention, get_object_retention,
    put_object_legal_hold, get_object_legal_hold, get_bucket_versioning, put_bucket_versioning,
    get_object_lock_configuration, list_objects_v2, list_object_versions, list_multipart_uploads,
)  # fmt: skip

ANSWERS = {"".join(part.capitalize() for part in each.__name__.split("_")): each for each in _FUNCTIONS}
ANSWERS["GetObject"] = head_object  # whose answer has a body, which a HEAD does not get


# --- what they share -------------------------------------------------------------------------------------------------


def _checked(vault: Vault, asked: Request) -> str:
    """The SHA-256 that was sent, as it was sent, where the store hears it; every digest that came must be right."""
    md5, sha256 = asked.headers.get("content-md5"), asked.headers.get("x-amz-checksum-sha256", "")
    if not asked.unchecked and md5 != _base64(hashlib.md5(asked.came, usedforsecurity=False).digest()):
        raise Refused(400, "BadDigest" if md5 else "InvalidRequest")  # a bucket with locks takes nothing without
    if not vault.habits.checksums or not sha256:
        return ""
    if not asked.unchecked and sha256 != _base64(hashlib.sha256(asked.came).digest()):
        raise Refused(400, "BadDigest")
    return sha256


def _checked_document(asked: Request) -> None:
    """A request about a lock must carry a digest, and it must be right."""
    md5, crc = asked.headers.get("content-md5"), asked.headers.get("x-amz-checksum-crc32")
    right = {
        _base64(hashlib.md5(asked.came, usedforsecurity=False).digest()),
        _base64(zlib.crc32(asked.came).to_bytes(4, "big")),
    }
    if (md5 or crc) not in right:
        raise Refused(400, "BadDigest" if md5 or crc else "InvalidRequest")


def _etag(vault: Vault, asked: Request) -> str:
    """Of what came, whatever is kept; of what is kept, where the store checks nothing."""
    data = asked.body if asked.unchecked else asked.came
    salt = b"" if vault.habits.md5_etags else b"encrypted"
    return hashlib.md5(salt + data, usedforsecurity=False).hexdigest()


def _meta(asked: Request) -> dict[str, str]:
    start = "x-amz-meta-"
    return {name[len(start) :]: value for name, value in asked.headers.items() if name.startswith(start)}


def _version(vault: Vault, version: Version) -> dict[str, str]:
    return {"x-amz-version-id": version.id} if vault.habits.versions else {}


def _described(version: Version) -> str:
    size = "" if version.data is None else _tag("Size", len(version.data)) + _tag("ETag", version.etag)
    return size + _tag("LastModified", _iso(version.modified))


def _page(vault: Vault, every: list[T]) -> tuple[list[T], bool]:
    return every[: vault.habits.page], len(every) > vault.habits.page


def _behind(every: list[T], last: T | None) -> list[T]:
    return every[every.index(last) + 1 :] if last in every else every


def _parsed(body: bytes, name: str) -> Iterable[ElementTree.Element]:
    try:
        root = ElementTree.fromstring(body)  # noqa: S314  # what our own client wrote
    except ElementTree.ParseError:
        raise Refused(400, "MalformedXML") from None
    return [child for child in root if child.tag.rpartition("}")[2] == name] if name else [root]


def _text(element: ElementTree.Element, name: str) -> str:
    found = next((child.text for child in element if child.tag.rpartition("}")[2] == name), None)
    if not found:
        raise Refused(400, "MalformedXML")
    return found


def _xml(name: str, inside: str) -> Answer:
    namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{namespace}">{inside}</{name}>'
    return Answer(headers={"Content-Type": "application/xml"}, body=text.encode())


def _tag(name: str, value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<{name}>{text if '<' in text else escape(text)}</{name}>"


def _name(asked: Request, tag: str, name: str) -> str:
    text = quote(name) if asked.query.get("encoding-type") == "url" else escape(name)
    return f"<{tag}>{text}</{tag}>"


def _encoding(asked: Request) -> str:
    return _tag("EncodingType", "url") if asked.query.get("encoding-type") == "url" else ""


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _http_date(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
