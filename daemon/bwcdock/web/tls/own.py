"""A certificate of the station's own, and the authority that browsers are told to trust, once.

The authority may vouch for nothing but this station's names and for private addresses (RFC 5280, 4.2.1.10): whoever
stole its key could stand for this station, which he could with the station's disk anyhow, and for no other site that
the browsers of the bureau open. Each is one file, key and certificate together, written whole: dying in between leaves
the old pair or the new one.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bwcdock import durable
from bwcdock.web.tls.names import Names

log = structlog.get_logger()

SERVER, AUTHORITY, AUTHORITY_PUBLIC = "server.pem", "authority.pem", "authority.crt"

SERVER_DAYS: Final = 397
"""The longest that browsers take (CA/Browser Forum, baseline requirements 6.3.2; Apple refuses more of anybody)."""

AUTHORITY_DAYS: Final = 3650
"""Every new one has to be carried to every browser: as long as a dock lives."""

RENEW: Final = timedelta(days=30)
"""So long before its end a certificate is made anew: a station that was off for weeks comes back with a good one."""

BEFORE: Final = timedelta(days=1)
"""Browsers' clocks are not the station's."""


def made(directory: Path, names: Names, now: datetime) -> tuple[Path, Path]:
    """The server's file and the authority's certificate; what is missing, ends soon or does not fit is made anew."""
    durable.make_dirs(directory)
    server, authority, public = directory / SERVER, directory / AUTHORITY, directory / AUTHORITY_PUBLIC
    above = _read(authority)
    if above is None or not _vouches(above[1], names, now):
        if above is not None:
            log.warning("tls.authority_anew", what="Browsers that trusted the old one have to be told of the new one.")
        above = _authority(names, now)
        durable.write_small(authority, _pem(*above), mode=0o600, overwrite=True)
    wanted = above[1].public_bytes(Encoding.PEM)
    if not public.exists() or public.read_bytes() != wanted:
        durable.write_small(public, wanted, mode=0o644, overwrite=True)
    below = _read(server)
    if below is None or not _serves(below[1], above[1], names, now):
        below = _server(above, names, now)
        durable.write_small(server, _pem(*below), mode=0o600, overwrite=True)
        log.info("tls.made", names=names.names, addresses=[str(address) for address in names.addresses])
    return server, public


Pair = tuple[ec.EllipticCurvePrivateKey, x509.Certificate]


def _read(path: Path) -> Pair | None:
    """The key and the certificate of a file; ``None`` where it holds no such two."""
    try:
        data = path.read_bytes()
        key, certificate = load_pem_private_key(data, password=None), x509.load_pem_x509_certificate(data)
    except (OSError, ValueError, TypeError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    return key, certificate


def _vouches(certificate: x509.Certificate, names: Names, now: datetime) -> bool:
    """Whether this authority lives longer than what it signs now, and may sign for all of these names."""
    longest = timedelta(days=SERVER_DAYS) + RENEW
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - longest:
        return False
    permitted = certificate.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    known = {each.value for each in permitted}
    return set(names.names) <= known and set(names.networks) <= known


def _serves(certificate: x509.Certificate, authority: x509.Certificate, names: Names, now: datetime) -> bool:
    """Whether this certificate is of this authority, for these names and no others, and will be for a while."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    told = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    is_ours = set(told.get_values_for_type(x509.DNSName)) == set(names.names) and set(
        told.get_values_for_type(x509.IPAddress)
    ) == set(names.addresses)
    return is_ours and certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW


def _authority(names: Names, now: datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    own = _name(f"bwcdock {names.names[0]} CA {now:%Y-%m-%d}")
    permitted = [*map(x509.DNSName, names.names), *map(x509.IPAddress, names.networks)]
    made = (
        _begun(own, own, key, now, days=AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .sign(key, SHA256())
    )
    return key, made


def _server(authority: Pair, names: Names, now: datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    above, certificate = authority
    alternatives = [*map(x509.DNSName, names.names), *map(x509.IPAddress, names.addresses)]
    made = (
        _begun(_name(names.names[0]), certificate.subject, key, now, days=SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()), critical=False)
        .sign(above, SHA256())
    )
    return key, made


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, *, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BEFORE)
        .not_valid_after(now - BEFORE + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bytes:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)
