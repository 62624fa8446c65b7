"""The certificate of the pages: the station's own is made, kept and renewed; one that is given is looked at first."""

import os
import ssl
import stat
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from bwcdock.errors import Misused
from bwcdock.settings import Web
from bwcdock.web.tls import Tls, fingerprint
from bwcdock.web.tls.names import Names, local_addresses, names_of
from bwcdock.web.tls.own import AUTHORITY_DAYS, SERVER_DAYS
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
NAMES = Names(names=("bwcdock", "dock-07", "localhost"), addresses=(ip_address("10.1.2.3"), ip_address("127.0.0.1")))


def after(days: float) -> datetime:
    return NOW + timedelta(days=days)


def own(directory: Path, names: Names = NAMES, now: datetime = NOW) -> tuple[x509.Certificate, x509.Certificate]:
    """The server's and the authority's certificate."""
    files = Tls(Web(), directory, names).files(now)
    assert files.authority is not None
    both = (files.certificate, files.authority)
    server, authority = (x509.load_pem_x509_certificate(path.read_bytes()) for path in both)
    return server, authority


# --- the station's own ------------------------------------------------------------------------------------------------


def test_it_is_for_the_names_and_addresses_of_the_station(tmp_path: Path) -> None:
    server, authority = own(tmp_path)
    told = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(told.get_values_for_type(x509.DNSName)) == set(NAMES.names)
    assert set(told.get_values_for_type(x509.IPAddress)) == set(NAMES.addresses)
    assert server.not_valid_after_utc - server.not_valid_before_utc == timedelta(days=SERVER_DAYS)
    server.verify_directly_issued_by(authority)
    assert not server.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_the_authority_can_vouch_for_nobody_else(tmp_path: Path) -> None:
    _, authority = own(tmp_path)
    limits = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical
    named = [each.value for each in limits.value.permitted_subtrees or [] if isinstance(each, x509.DNSName)]
    assert set(named) == set(NAMES.names)
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_keys_are_the_stations_alone(tmp_path: Path) -> None:
    own(tmp_path)
    for path in (tmp_path / "tls").iterdir():
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o644 if path.suffix == ".crt" else 0o600), path
        assert (b"PRIVATE KEY" in path.read_bytes()) == (path.suffix == ".pem")


def test_it_stays_until_a_month_before_its_end(tmp_path: Path) -> None:
    first, authority = own(tmp_path)
    assert own(tmp_path, now=after(SERVER_DAYS - 32)) == (first, authority)
    second, same = own(tmp_path, now=after(SERVER_DAYS - 30))
    assert same == authority
    assert second != first
    assert second.not_valid_after_utc > after(2 * SERVER_DAYS - 35)


def test_the_authority_outlives_what_it_signs(tmp_path: Path) -> None:
    _, first = own(tmp_path)
    late = after(AUTHORITY_DAYS - SERVER_DAYS - 29)
    server, second = own(tmp_path, now=late)
    assert second != first
    assert server.not_valid_after_utc < second.not_valid_after_utc
    assert own(tmp_path, now=late) == (server, second)


def test_another_address_of_a_private_network_needs_no_new_authority(tmp_path: Path) -> None:
    first, authority = own(tmp_path)
    moved = Names(names=NAMES.names, addresses=(ip_address("192.168.9.9"),))
    second, same = own(tmp_path, moved)
    assert same == authority
    assert second != first


@pytest.mark.parametrize(
    "names",
    [
        Names(names=(*NAMES.names, "dock.example"), addresses=NAMES.addresses),
        Names(names=NAMES.names, addresses=(ip_address("203.0.113.7"),)),
    ],
)
def test_another_name_does(tmp_path: Path, names: Names) -> None:
    _, authority = own(tmp_path)
    server, other = own(tmp_path, names)
    assert other != authority
    server.verify_directly_issued_by(other)
    assert own(tmp_path, names) == (server, other)


@pytest.mark.parametrize("name", ["server.pem", "authority.pem", "authority.crt"])
@pytest.mark.parametrize("what", ["gone", "empty", "torn"])
def test_what_was_lost_or_torn_is_made_anew(tmp_path: Path, name: str, what: str) -> None:
    own(tmp_path)
    path = tmp_path / "tls" / name
    data = path.read_bytes()
    path.unlink() if what == "gone" else path.write_bytes(b"" if what == "empty" else data[: len(data) // 2])
    server, authority = own(tmp_path)
    server.verify_directly_issued_by(authority)
    assert own(tmp_path) == (server, authority)


def test_names_are_those_of_the_machine_and_the_settings() -> None:
    web = Web(tls_listen="0.0.0.0:8343", names=("Dock.Example",))
    found = names_of(web)
    assert {"localhost", "bwcdock", "dock.example"} <= set(found.names)
    assert set(found.addresses) == {*local_addresses(), ip_address("127.0.0.1"), ip_address("::1")}
    assert ip_address("127.0.0.1") in local_addresses()
    only = names_of(Web(tls_listen="192.0.2.9:8343"))
    assert set(only.addresses) == {ip_address("192.0.2.9"), ip_address("127.0.0.1"), ip_address("::1")}


def test_the_fingerprint_is_as_browsers_show_it() -> None:
    assert fingerprint(b"abc").startswith("BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:")
    assert len(fingerprint(b"abc")) == 95


def test_a_context_follows_the_files(tmp_path: Path) -> None:
    tls = Tls(Web(), tmp_path, NAMES)
    tls.refresh(NOW)
    assert tls.context.minimum_version == ssl.TLSVersion.TLSv1_2
    seen = tls._seen
    tls.refresh(after(1))
    assert tls._seen == seen
    tls.refresh(after(SERVER_DAYS - 20))
    assert tls._seen != seen
    names = {each["name"] for each in tls.context.get_ciphers()}
    assert all("GCM" in name or "CHACHA20" in name for name in names), names


# --- a given one ------------------------------------------------------------------------------------------------------


def given(directory: Path, *, begins: float = -1, ends: float = 300) -> tuple[Path, Path]:
    """A certificate of somebody's and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dock-07")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(after(begins))
        .not_valid_after(after(ends))
        .sign(key, SHA256())
    )
    certificate, private = directory / "dock.crt", directory / "dock.key"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    private.chmod(0o600)
    return certificate, private


def refused(certificate: Path | None, private_key: Path | None, directory: Path) -> str:
    web = Web(certificate=certificate, private_key=private_key)
    with pytest.raises(Misused) as told:
        Tls(web, directory, NAMES).refresh(NOW)
    assert told.value.hint
    assert not (directory / "tls").exists(), "and nothing of our own is made in its place"
    return told.value.what


def test_a_given_one_is_taken(tmp_path: Path) -> None:
    certificate, private = given(tmp_path)
    tls = Tls(Web(certificate=certificate, private_key=private), tmp_path, NAMES)
    tls.refresh(NOW)
    assert tls.files(NOW).authority is None
    seen = tls._seen
    given(tmp_path)
    tls.refresh(NOW)
    assert tls._seen != seen, "and taken again when it was exchanged"


def test_one_that_cannot_do_is_refused_with_what_is_wrong(tmp_path: Path) -> None:
    certificate, private = given(tmp_path, ends=0)
    assert "ended on 2026-03-02" in refused(certificate, private, tmp_path)
    certificate, private = given(tmp_path, begins=1)
    assert "begins on 2026-03-03" in refused(certificate, private, tmp_path)
    certificate, private = given(tmp_path)
    assert "and not the other" in refused(certificate, None, tmp_path)
    assert "No such file" in refused(certificate, tmp_path / "nothing", tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "is not a file" in refused(tmp_path / "pipe", private, tmp_path)


def test_a_key_of_another_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    certificate, _ = given(tmp_path)
    _, private = given(tmp_path / "other")
    assert "is not that of the certificate" in refused(certificate, private, tmp_path)


def test_a_key_that_everyone_may_read_is_refused(tmp_path: Path) -> None:
    certificate, private = given(tmp_path)
    private.chmod(0o644)
    assert "Everyone on this machine may read" in refused(certificate, private, tmp_path)
    private.chmod(0o640)
    Tls(Web(certificate=certificate, private_key=private), tmp_path, NAMES).refresh(NOW)


def test_what_is_no_certificate_or_no_key_is_told(tmp_path: Path) -> None:
    certificate, private = given(tmp_path)
    assert "holds no certificate" in refused(private, private, tmp_path)
    key = ec.generate_private_key(ec.SECP256R1())
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    private.write_bytes(locked)
    assert "locked with a password" in refused(certificate, private, tmp_path)
    private.write_bytes(b"x" * 200)
    assert "holds no key" in refused(certificate, private, tmp_path)
