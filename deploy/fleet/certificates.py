"""A certificate authority of the fleet's own, and the server's certificate that it signs; no file is touched here.

Needs nothing of ours beside it: where this machine has no virtual environment, the image of the application runs it.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import re
import sys
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

AUTHORITY_DAYS = 5 * 365
"""Whoever trusts it does so by hand."""
SERVER_DAYS = 90
RENEWED_DAYS = 30
"""Before its end a certificate is made anew."""
SLACK = dt.timedelta(hours=1)
"""Clocks that are late see a new certificate as valid, too."""
DNS_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
LONGEST_NAME = 253  # of DNS


@dataclass(frozen=True)
class Material:
    """Two certificates and their keys, in PEM format; empty where there is none yet."""

    authority: str = ""
    authority_key: str = ""
    certificate: str = ""
    key: str = ""


def renewed(held: Material, names: Sequence[str], now: dt.datetime) -> Material:
    """Return what a server with these names and addresses needs; what still serves stays as it is."""
    names = usable(names)
    if not _serves_as_authority(held, names, now):
        held = _with_authority(names, now)
    if not _serves(held, names, now):
        held = _with_certificate(held, names, now)
    return held


def usable(names: Iterable[str]) -> list[str]:
    """Return the names and addresses that a certificate can hold, each once, in the order given."""
    small = [name.strip().lower().strip("[]") for name in names]
    return [name for name in dict.fromkeys(small) if _is_address(name) or _is_name(name)]


def _serves_as_authority(held: Material, names: Sequence[str], now: dt.datetime) -> bool:
    """Return whether it is whole, outlives the next certificate, and may sign for all of the names."""
    pair = _pair(held.authority, held.authority_key)
    if pair is None:
        return False
    allowed = _constraints(pair[0])
    needs = now + dt.timedelta(days=SERVER_DAYS)
    return pair[0].not_valid_after_utc > needs and {_bare(name) for name in names} <= allowed


def _serves(held: Material, names: Sequence[str], now: dt.datetime) -> bool:
    """Return whether the server's certificate is whole, of this authority, of just these names, not near its end."""
    pair = _pair(held.certificate, held.key)
    if pair is None or _names(pair[0]) != set(names):
        return False
    try:
        pair[0].verify_directly_issued_by(x509.load_pem_x509_certificate(held.authority.encode()))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return pair[0].not_valid_after_utc > now + dt.timedelta(days=RENEWED_DAYS)


def _pair(certificate: str, key: str) -> tuple[x509.Certificate, PrivateKeyTypes] | None:
    """Return both when they can be read and belong together."""
    try:
        read = x509.load_pem_x509_certificate(certificate.encode())
        private = serialization.load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError):
        return None
    return (read, private) if read.public_key() == private.public_key() else None


def _with_authority(names: Sequence[str], now: dt.datetime) -> Material:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Fanout, {names[0]}, {now:%Y-%m-%d %H:%M}")
    permitted = [_general(name) for name in dict.fromkeys(_bare(each) for each in names)]
    certificate = (
        _builder(name, name, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        # Whoever steals its key is this machine to those who trust it, and nobody else.
        .add_extension(x509.NameConstraints([_permitted(each) for each in permitted], None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Material(_pem(certificate), _private(key))


def _with_certificate(held: Material, names: Sequence[str], now: dt.datetime) -> Material:
    authority = x509.load_pem_x509_certificate(held.authority.encode())
    authority_key = serialization.load_pem_private_key(held.authority_key.encode(), None)
    if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is of another kind than is made here")
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        _builder(_name(names[0]), authority.subject, key.public_key(), now, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(identifier, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return replace(held, certificate=_pem(certificate), key=_private(key))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLACK).not_valid_after(now + dt.timedelta(days=days))
    )  # fmt: skip


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _is_address(name: str) -> bool:
    try:
        return not ipaddress.ip_address(name).is_unspecified
    except ValueError:
        return False


def _is_name(name: str) -> bool:
    # What ends in a number is an address that is none.
    return bool(DNS_NAME.fullmatch(name)) and len(name) <= LONGEST_NAME and not name.rpartition(".")[2].isdecimal()


def _bare(name: str) -> str:
    """Return the name under which a wildcard stands."""
    return name.removeprefix("*.")


def _general(name: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(name)) if _is_address(name) else x509.DNSName(name)


def _permitted(name: x509.GeneralName) -> x509.GeneralName:
    """Return a name as a constraint: an address is a network of one."""
    return x509.IPAddress(ipaddress.ip_network(name.value)) if isinstance(name, x509.IPAddress) else name


def _constraints(authority: x509.Certificate) -> set[str]:
    """Return the names for which an authority may sign."""
    try:
        permitted = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value).partition("/")[0] for name in permitted or ()}


def _names(certificate: x509.Certificate) -> set[str]:
    try:
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in held}


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text[:64])])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private(key: ec.EllipticCurvePrivateKey) -> str:
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain).decode()


def main() -> None:
    """Read what is held and the names as JSON, write what is needed."""
    asked = json.load(sys.stdin)
    made = renewed(Material(**asked["held"]), asked["names"], dt.datetime.now(dt.UTC))
    json.dump(asdict(made), sys.stdout)


if __name__ == "__main__":
    main()
