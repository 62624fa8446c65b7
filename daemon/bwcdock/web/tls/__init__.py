"""TLS of the pages: the bureau's certificate where the settings name one, else the station's own, always fit."""

import hashlib
import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from bwcdock.errors import Misused
from bwcdock.settings import Web
from bwcdock.web.tls import given, own
from bwcdock.web.tls.names import Names, names_of

log = structlog.get_logger()

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2 only what has forward secrecy and authenticates what it encrypts; those of TLS 1.3 are all such."""

FOLDER: Final = "tls"
"""In the pages' own directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The certificate with its chain and its key, and what browsers should trust for it (empty: that is not ours)."""

    certificate: Path
    private_key: Path
    authority: Path | None


class Tls:
    """The certificate of a station, and a context that follows it when it is renewed."""

    def __init__(self, web: Web, directory: Path, names: Names) -> None:
        self._web = web
        self._directory = directory / FOLDER
        self._names = names
        self._seen = b""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_ciphers(CIPHERS)
        self.context.set_alpn_protocols(["http/1.1"])

    def files(self, now: datetime) -> Files:
        """Both files: ``Misused`` where the bureau's cannot be used, made or made anew where they are ours."""
        web = self._web
        if web.certificate is None and web.private_key is None:
            pem, authority = own.made(self._directory, self._names, now)
            return Files(certificate=pem, private_key=pem, authority=authority)
        if web.certificate is None or web.private_key is None:
            what = "[web] names a certificate or a key, and not the other."
            raise Misused("web", what, "Name both, or neither: then the station makes its own.")
        given.must_be_fit(web.certificate, web.private_key, now)
        return Files(certificate=web.certificate, private_key=web.private_key, authority=None)

    def refresh(self, now: datetime) -> None:
        """Take what the files hold now for every connection that begins from here on."""
        files = self.files(now)
        seen = hashlib.sha256(files.certificate.read_bytes() + files.private_key.read_bytes()).digest()
        if seen == self._seen:
            return
        try:
            self.context.load_cert_chain(files.certificate, files.private_key)
        except (ssl.SSLError, OSError) as error:
            what = f"{files.certificate} and {files.private_key} cannot be used: {error}."
            raise Misused("web", what, "See [web] certificate.") from error
        self._seen = seen
        log.info("tls.certificate", path=str(files.certificate))


def tls_of(web: Web, directory: Path) -> Tls:
    """The TLS of a station with these settings."""
    return Tls(web, directory, names_of(web))


def fingerprint(der: bytes) -> str:
    """SHA-256 as browsers show it, to be compared by eye."""
    return ":".join(f"{byte:02X}" for byte in hashlib.sha256(der).digest())
