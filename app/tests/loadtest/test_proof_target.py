import argparse
import datetime as dt

import pytest

from fleet.certificates import Material, renewed
from fleet.compose.project import Project
from fleet.state import Run, Settings
from proof import trust
from proof.errors import ProofError
from proof.options import readable
from proof.target import default_host, default_trust, parse, replica_of


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("web-1", "web-1"),
        ("", ""),
        ("unix:/run/web-1.sock, unix:/run/web-2.sock", "unix:/run/web-2.sock"),
        ("127.0.0.1:8001 : 127.0.0.1:8002", "127.0.0.1:8001_:_127.0.0.1:8002"),
    ],
)
def test_who_answered_is_the_last_that_nginx_tried(header, name):
    """A name has no spaces: they separate the fields of a publication."""
    assert replica_of(header) == name


@pytest.mark.parametrize("host", ["http://.example", f"http://{'a' * 70}.example", "ftp://x", "http://x:99999"])
def test_what_no_host_can_be_called_is_told(host):
    """In a sentence, before anybody looks for it."""
    with pytest.raises(ProofError, match=r"is no address: give one like http://127\.0\.0\.1:8080\."):
        parse(host)


@pytest.mark.parametrize("how", ["native", "compose"])
def test_the_fleet_that_runs_here_is_asked(tmp_path, how):
    """As plain processes or in containers, where its port is remembered; until then the usual port."""
    environ = {"RUN_DIR": str(tmp_path)}
    assert default_host(environ) == "http://127.0.0.1:8080"
    if how == "native":
        Run(tmp_path).remember(Settings(port=9123))
    else:
        Project(Run(tmp_path)).remember(Settings(port=9123), {})
    assert default_host(environ) == "http://127.0.0.1:9123"


def test_where_tls_is_the_only_way_in_it_is_taken(tmp_path):
    """And the fleet's certificate believed; beside plain HTTP nobody needs it."""
    environ = {"RUN_DIR": str(tmp_path)}
    Run(tmp_path).remember(Settings(tls_port=9443, tls_certificate="/c.pem", tls=True))
    assert (default_host(environ), default_trust(environ)) == ("https://127.0.0.1:9443", "/c.pem")
    Run(tmp_path).remember(Settings(port=9123, tls_port=9443, tls_certificate="/c.pem"))
    assert (default_host(environ), default_trust(environ)) == ("http://127.0.0.1:9123", "")


def test_an_authority_is_believed_for_its_names_and_a_certificate_for_itself(tmp_path):
    """A file of something else is told."""
    made = renewed(Material(), ["localhost"], dt.datetime.now(dt.UTC))
    for name, text in (("ca", made.authority), ("own", made.certificate + made.authority), ("none", "no certificate")):
        (tmp_path / name).write_text(text)
    assert trust.context(str(tmp_path / "ca")).check_hostname
    assert not trust.context(str(tmp_path / "own")).check_hostname
    for wrong in ("none", "missing"):
        with pytest.raises(argparse.ArgumentTypeError, match="holds no certificate in PEM format"):
            readable(str(tmp_path / wrong))
