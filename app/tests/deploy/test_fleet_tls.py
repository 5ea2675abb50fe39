"""Certificates that nginx could not use are refused before anything is started."""

import contextlib
import datetime as dt
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from fleet import configuration, tls
from fleet.errors import UsageError
from fleet.options import Options
from fleet.state import Settings
from tests import certificates


@pytest.fixture
def settings(tmp_path):
    """A certificate and its key."""
    certificate, key = certificates.write(tmp_path)
    return Settings(tls_port=8443, tls_certificate=str(certificate), tls_key=str(key))


def refused(settings):
    with pytest.raises(UsageError) as caught:
        tls.refuse_unusable(settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_certificate_and_its_key_are_taken(settings):
    """Without TLS nobody looks at them."""
    tls.refuse_unusable(settings)
    tls.refuse_unusable(Settings())


def test_a_port_alone_is_not_enough(settings):
    """The sentence shows what is missing."""
    assert "TLS_PORT=8443 needs a certificate and its key" in refused(replace(settings, tls_key=""))


def test_one_port_is_not_both(settings):
    """Plain HTTP and TLS can't share it."""
    assert "TLS_PORT=8443 is PORT too" in refused(replace(settings, port=8443))


@pytest.mark.parametrize("character", ["$", '"', ";", "{"])
@pytest.mark.parametrize(("field", "name"), [("tls_certificate", "TLS_CERTIFICATE"), ("tls_key", "TLS_KEY")])
def test_a_path_that_nginx_would_read_as_something_else_is_named(settings, tmp_path, character, field, name):
    """A dollar begins a variable of its own, a quote ends the path; the file itself is a good one."""
    path = tmp_path / f"a{character}b.pem"
    path.write_bytes(Path(getattr(settings, field)).read_bytes())
    sentence = refused(replace(settings, **{field: str(path)}))
    assert sentence.startswith(f"{name}={path} has {character!r} in its path, which nginx' configuration cannot hold")


@pytest.mark.parametrize(("field", "name"), [("tls_certificate", "TLS_CERTIFICATE"), ("tls_key", "TLS_KEY")])
def test_a_file_that_cant_be_read_is_named(settings, tmp_path, field, name):
    """Missing, or a folder."""
    missing = refused(replace(settings, **{field: str(tmp_path / "none")}))
    assert missing == (
        f"{name}={tmp_path}/none cannot be read (No such file or directory): "
        "name a file in PEM format, or end TLS with TLS_PORT=0."
    )
    assert f"{name}={tmp_path} cannot be read (Is a directory)" in refused(replace(settings, **{field: str(tmp_path)}))


def test_the_key_of_another_certificate_is_named(settings, tmp_path):
    """Both files are."""
    _, key = certificates.write(tmp_path, "other")
    sentence = refused(replace(settings, tls_key=str(key)))
    assert sentence.startswith(f"TLS_KEY={key} is not the key of TLS_CERTIFICATE={settings.tls_certificate}")


def test_a_certificate_that_has_ended_is_named(settings, tmp_path):
    """With its day, and with what to do."""
    certificate, key = certificates.write(tmp_path, "old", days=-2)
    sentence = refused(replace(settings, tls_certificate=str(certificate), tls_key=str(key)))
    ended = dt.datetime.now(dt.UTC) - dt.timedelta(days=2)
    assert sentence.startswith(f"TLS_CERTIFICATE={certificate} has ended on {ended:%Y-%m-%d}")


def test_a_client_of_our_own_takes_the_very_certificate_and_no_other(settings, tmp_path):
    """Whatever it is called."""
    other, other_key = certificates.write(tmp_path, "other")
    for certificate, key, is_taken in (
        (settings.tls_certificate, settings.tls_key, True), (other, other_key, False),
    ):  # fmt: skip
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate, key)
        ways = ssl.MemoryBIO(), ssl.MemoryBIO()
        ends = (
            tls.trusting(settings.tls_certificate).wrap_bio(*ways, server_hostname="any.example"),
            server.wrap_bio(*reversed(ways), server_side=True),
        )
        if is_taken:
            shake_hands(*ends)
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                shake_hands(*ends)


def shake_hands(*ends):
    """Let two ends of TLS talk until both are content."""
    waiting = list(ends)
    for _ in range(10):
        for end in tuple(waiting):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
                waiting.remove(end)
    assert not waiting


def test_tls_alone_is_a_port_and_a_certificate_of_its_own(tmp_path):
    """TLS=0 ends it, as TLS_PORT=0 does; a certificate that is given is taken instead."""
    ask = Options("up", tmp_path, tmp_path)
    own = configuration.decide(replace(ask, tls=True), Settings())
    assert (own.tls, own.tls_port, own.own_certificate) == (True, 8443, True)
    assert own.tls_certificate == str(tmp_path / "tls/certificate.pem")
    assert configuration.decide(ask, own) == own
    assert configuration.decide(replace(ask, tls_port=9443), own).tls_port == 9443
    for end in (replace(ask, tls=False), replace(ask, tls_port=0)):
        ended = configuration.decide(end, own)
        assert (ended.tls, ended.tls_port) == (False, 0)
        assert configuration.decide(replace(ask, tls=True), ended) == own
    certificate, key = certificates.write(tmp_path)
    given = replace(ask, tls=True, tls_certificate=str(certificate), tls_key=str(key))
    mine = configuration.decide(given, own)
    assert (mine.tls_certificate, mine.own_certificate) == (str(certificate), False)
    with pytest.raises(UsageError, match="TLS=1 begins TLS and TLS_PORT=0 ends it"):
        configuration.decide(replace(ask, tls=True, tls_port=0), Settings())


def test_what_is_no_certificate_is_named(settings, tmp_path):
    """Neither a text nor the two in each other's place."""
    (tmp_path / "text").write_text("no certificate")
    assert f"TLS_CERTIFICATE={tmp_path}/text" in refused(replace(settings, tls_certificate=str(tmp_path / "text")))
    swapped = replace(settings, tls_certificate=settings.tls_key, tls_key=settings.tls_certificate)
    assert "not a certificate and its key in PEM format" in refused(swapped)


def test_what_was_given_once_stays_until_it_is_ended(settings, tmp_path):
    """As every value of `make up`."""
    ask = Options("up", tmp_path, tmp_path)
    assert configuration.decide(ask, settings) == settings
    assert configuration.decide(replace(ask, tls_port=0), settings).tls_port == 0
    with pytest.raises(UsageError, match="needs a certificate"):
        configuration.decide(replace(ask, tls_port=8443), Settings())


def test_files_that_moved_away_keep_nobody_from_scaling(settings, tmp_path):
    """The nginx that runs has read them; what it has to read anew is looked at again."""
    gone = replace(settings, tls_key=str(tmp_path / "gone"))
    ask = Options("scale", tmp_path, tmp_path)
    assert configuration.decide(replace(ask, replicas=5), gone).replicas == 5
    assert configuration.decide(replace(ask, tls_port=0), gone).tls_port == 0
    for asked in (replace(ask, port=9000), replace(ask, tls_port=gone.tls_port)):
        with pytest.raises(UsageError, match=r"TLS_KEY=.*/gone cannot be read"):
            configuration.decide(asked, gone)
