"""A self-signed certificate, made once on this machine: a browser gives its microphone to https and localhost only.

Whoever connects sees a warning, since nobody vouches for it; an ssh tunnel to a loopback port needs none of this.
"""

import os
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from socket import gethostname
from typing import Final

from duplex.cache import cache_folder

DAYS: Final = 365
RENEW_DAYS: Final = 30  # before it runs out


def self_signed(host: str) -> ssl.SSLContext:
    """The certificate of this machine for `host`, from the cache or made anew.

    Raises:
        ImportError: cryptography is not installed, which makes it.
    """
    path = cache_folder("certificates") / f"{host.replace(':', '_')}.pem"
    if not path.is_file() or runs_out(path):
        part = path.with_suffix(".part")
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # nobody else may read the key
            file.write(made(host))
        part.replace(path)
    return context(path, path)


def context(certificate: Path, key: Path) -> ssl.SSLContext:
    """What a server needs to speak TLS.

    Raises:
        ValueError: the files are no certificate and its key.
    """
    made_of = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        made_of.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"{certificate} and {key} are no certificate and its key in PEM: {error}") from error
    return made_of


def runs_out(path: Path) -> bool:
    from cryptography import x509

    left = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc - datetime.now(UTC)
    return left < timedelta(days=RENEW_DAYS)


def made(host: str) -> bytes:
    """Certificate and key in PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "duplex-harness")])
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.DNSName(gethostname()),
                                     x509.IPAddress(ip_address("127.0.0.1")), x509.IPAddress(ip_address("::1"))]
    try:
        names.append(x509.IPAddress(ip_address(host)))
    except ValueError:
        names.append(x509.DNSName(host))
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=DAYS)).add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256()))
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
