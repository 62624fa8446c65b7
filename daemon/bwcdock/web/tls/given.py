"""A certificate of the bureau's own: looked at before anybody meets it, with what to do where it does not do."""

import os
import stat
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from bwcdock.errors import Misused

log = structlog.get_logger()

OP = "web"
MOST = 1 << 20
"""Bytes of one file: a long chain has ten thousand."""

SOON = timedelta(days=30)
"""When less is left it is said in the journal: whoever issues certificates takes his time."""


def must_be_fit(certificate: Path, private_key: Path, now: datetime) -> None:
    """Refuse a certificate that browsers would refuse, and a key that is not its own or that others can read."""
    chain = _certificates(certificate)
    key = _private_key(private_key)
    first = chain[0]
    if _public(key.public_key()) != _public(first.public_key()):
        what = f"The key in {private_key} is not that of the certificate in {certificate}."
        raise Misused(OP, what, "Give the two that were made together; the station's own certificate comes first.")
    if now >= first.not_valid_after_utc:
        what = f"The certificate in {certificate} ended on {first.not_valid_after_utc:%Y-%m-%d}."
        raise Misused(OP, what, "Have it renewed; without [web] certificate the station makes its own.")
    if now < first.not_valid_before_utc:
        what = f"The certificate in {certificate} begins on {first.not_valid_before_utc:%Y-%m-%d}."
        raise Misused(OP, what, "Look at the station's clock.")
    if first.not_valid_after_utc - now < SOON:
        log.warning("tls.ends_soon", path=str(certificate), ends=first.not_valid_after_utc.isoformat())


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(path))
    except ValueError as error:
        raise Misused(
            OP, f"{path} holds no certificate in PEM form.", "It begins -----BEGIN CERTIFICATE-----."
        ) from error


def _private_key(path: Path) -> PrivateKeyTypes:
    data = _read(path)
    mode = path.stat().st_mode
    if mode & 0o007:
        raise Misused(OP, f"Everyone on this machine may read {path}.", f"Run: chmod 600 {path}")
    try:
        return load_pem_private_key(data, password=None)
    except TypeError as error:
        what = f"The key in {path} is locked with a password, which nobody is there to type."
        raise Misused(OP, what, f"Write it without: openssl pkey -in {path} -out NEW; chmod 600 NEW") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Misused(OP, f"{path} holds no key in PEM form.", "It begins -----BEGIN PRIVATE KEY-----.") from error


def _read(path: Path) -> bytes:
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise Misused(OP, f"{path} is not a file.", "See [web] certificate.")
            return stream.read(MOST)
    except OSError as error:
        what = f"{path} cannot be read: {error.strerror}."
        raise Misused(OP, what, "See [web] certificate; the station's user must be able to read it.") from error


def _public(key: object) -> bytes:
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))  # type: ignore[attr-defined]
