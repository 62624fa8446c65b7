"""How requests reach an S3 store: a client that suits old servers, leaves trying again to the station, and is its own.

Nothing of the machine's own AWS settings is taken (profiles, proxies, endpoints): nobody's environment decides where
footage goes.
"""

import os
import ssl
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from botocore.config import Config
from botocore.session import Session

from bwcdock.settings import S3Sink

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
"""Where systems keep the authorities they trust, as one file: botocore would take those it brings along."""

_CONNECTIONS = 64  # kept for use again; each is one socket, and none is opened before it is needed
_making = threading.Lock()  # a session is no thread's friend; the clients it makes are


@cache
def _session() -> Session:
    """One for all: what it reads of the protocol takes a quarter of a second, and is kept."""
    session = Session()
    session.set_config_variable("config_file", os.devnull)
    session.set_config_variable("credentials_file", os.devnull)
    return session


def connect(settings: S3Sink, access_key: str, secret_key: str) -> "S3Client":
    """A client for this store. Opens no connection, asks nothing."""
    plain = settings.endpoint.startswith("http:")  # on this machine alone, by the settings
    with _making:
        client = _session().create_client(
            "s3",
            region_name=settings.region,
            endpoint_url=settings.endpoint,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            verify=str(settings.ca) if settings.ca else _system_bundle(),
            config=Config(
                signature_version="s3v4",
                # A body is not digested once more for its signature: every one with footage in it carries its MD5.
                s3={"addressing_style": "path", **({"payload_signing_enabled": False} if plain else {})},
                # What botocore adds by itself since 2025 (trailing checksums) Ceph 16 refuses, and others store.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                retries={"total_max_attempts": 1, "mode": "standard"},  # when to try again is the station's matter
                connect_timeout=settings.connect_timeout_s,
                read_timeout=settings.read_timeout_s,
                max_pool_connections=_CONNECTIONS,
                tcp_keepalive=True,
                proxies={},
            ),
        )
    return cast("S3Client", client)


def _system_bundle() -> str | bool:
    named = ssl.get_default_verify_paths().cafile
    return next((path for path in (named, *_BUNDLES) if path and Path(path).is_file()), True)
