"""The fleet's own authority and the certificate that it signs: made, kept, renewed; judged by OpenSSL as clients do."""

import datetime as dt
import json
import socket
import ssl
import subprocess
import sys
import threading
from dataclasses import asdict, replace

import pytest
from cryptography import x509

from fleet import certificates
from fleet.certificates import Material, renewed, usable
from fleet.compose.up import CERTIFICATES

NOW = dt.datetime.now(dt.UTC)
NAMES = ["localhost", "127.0.0.1", "::1", "fleet.example.org"]
LIMIT = 10


@pytest.fixture(scope="module")
def made():
    """An authority and a certificate."""
    return renewed(Material(), NAMES, NOW)


def shakes_hands(material, folder, name, believed=None):
    """Return whether a client that believes the authority takes a server with the certificate for `name`."""
    for file, text in (("certificate", material.certificate), ("key", material.key)):
        (folder / file).write_text(text)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "certificate", folder / "key")
    client = ssl.create_default_context(cadata=(believed or material).authority)
    ours, theirs = socket.socketpair()
    ours.settimeout(LIMIT)
    theirs.settimeout(LIMIT)

    def serve():
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client.wrap_socket(ours, server_hostname=name).close()
    except ssl.SSLCertVerificationError:
        return False
    finally:
        ours.close()
        thread.join(LIMIT)
    return True


@pytest.mark.parametrize("name", NAMES)
def test_a_client_that_trusts_the_authority_takes_every_name(made, tmp_path, name):
    """By name or by address."""
    assert shakes_hands(made, tmp_path, name)


def test_no_other_name_and_no_other_authority_is_taken(made, tmp_path):
    """The same certificate is nothing to who trusts another one."""
    assert not shakes_hands(made, tmp_path, "example.org")
    assert not shakes_hands(made, tmp_path, "localhost", renewed(Material(), NAMES, NOW))


def test_who_steals_the_authoritys_key_is_no_bank(made, tmp_path):
    """It may sign for the names of the fleet alone: a certificate for another one is refused."""
    stolen = certificates._with_certificate(made, ["bank.example"], NOW)
    assert not shakes_hands(stolen, tmp_path, "bank.example")


def test_what_serves_is_kept(made):
    """Day after day the same, until a month before its end."""
    assert renewed(made, NAMES, NOW + dt.timedelta(days=59)) == made


def test_a_certificate_near_its_end_is_made_anew_by_the_same_authority(made, tmp_path):
    """So nobody has to trust anything again; the new one is taken at once."""
    new = renewed(made, NAMES, NOW + dt.timedelta(days=61))
    assert (new.authority, new.authority_key) == (made.authority, made.authority_key)
    assert new.key != made.key
    ends = x509.load_pem_x509_certificate(new.certificate.encode()).not_valid_after_utc
    assert ends > NOW + dt.timedelta(days=150)


def test_fewer_names_need_no_new_authority_and_more_do(made):
    """The authority may sign for what it was made for."""
    assert renewed(made, NAMES[:3], NOW).authority == made.authority
    assert renewed(made, [*NAMES, "another.example"], NOW).authority != made.authority


def test_an_authority_that_would_not_outlive_the_next_certificate_is_made_anew(made):
    """After nearly five years."""
    assert renewed(made, NAMES, NOW + dt.timedelta(days=5 * 365 - 80)).authority != made.authority


@pytest.mark.parametrize("field", ["authority", "authority_key", "certificate", "key"])
@pytest.mark.parametrize("text", ["", "torn", "other"])
def test_what_is_torn_or_of_another_is_made_anew(made, tmp_path, field, text):
    """Whatever is missing or does not belong to the rest, what comes out fits together."""
    other = getattr(renewed(Material(), NAMES, NOW), field)
    new = renewed(replace(made, **{field: other if text == "other" else text}), NAMES, NOW)
    assert shakes_hands(new, tmp_path, "localhost")


def test_a_wildcard_covers_what_is_below(tmp_path):
    """As a leading dot in FANOUT_ALLOWED_HOSTS does."""
    material = renewed(Material(), ["localhost", "example.org", "*.example.org"], NOW)
    assert shakes_hands(material, tmp_path, "chat.example.org")


def test_names_that_no_certificate_can_hold_are_left_out():
    """Stars, nothing, addresses of everybody, what is no name; each stays once."""
    asked = [
        "localhost",
        "LOCALHOST",
        "*",
        "",
        "0.0.0.0",
        "::",
        "[::1]",
        "a b",
        "höst",
        "1.2.3",
        "x" * 300,
        ".x",
        "my_host",
    ]
    assert usable(asked) == ["localhost", "::1", "my_host"]


def test_it_runs_by_itself_in_an_image():
    """By its text alone, without anything of ours beside it."""
    asked = json.dumps({"held": asdict(Material()), "names": NAMES})
    done = subprocess.run(
        [sys.executable, "-I", "-c", CERTIFICATES.read_text()], input=asked, capture_output=True, text=True, check=True
    )
    assert renewed(Material(**json.loads(done.stdout)), NAMES, NOW) == Material(**json.loads(done.stdout))
