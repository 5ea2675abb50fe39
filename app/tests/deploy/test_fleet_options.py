import pytest

from fleet import options
from fleet.errors import UsageError
from fleet.options import REPOSITORY


def test_without_a_verb_it_is_help():
    """An empty command line asks for help."""
    assert options.read([], {}).verb == "help"
    assert options.read(["--help"], {}).verb == "help"


def test_what_was_not_said_is_none():
    """Options tell "not given" from any value, so that a running fleet keeps what it has."""
    asked = options.read(["up"], {"REPLICAS": "", "PORT": " "})
    assert (asked.replicas, asked.port, asked.bind, asked.trusted_proxies, asked.name) == (None,) * 5
    assert asked.run_dir == REPOSITORY / ".run"
    assert asked.follow


def test_make_gives_values_as_variables():
    """A variable of make is the default of its option; the option wins."""
    environ = {"REPLICAS": "5", "PORT": "9000", "BIND": "0.0.0.0,[::1]", "TRUSTED_PROXIES": "10.1.2.3/8, 192.0.2.7"}
    asked = options.read(["up", "--port", "9001"], {**environ, "FOLLOW": "0", "ARGS": "-k 'two words'", "REPEAT": "5"})
    assert (asked.replicas, asked.port) == (5, 9001)
    assert asked.bind == ("0.0.0.0", "::1")
    assert asked.trusted_proxies == ("10.0.0.0/8", "192.0.2.7/32")
    assert asked.arguments == ("-k", "two words")
    assert not asked.follow
    assert asked.repeat == 5


@pytest.mark.parametrize(("name", "field"), [("BIND", "bind"), ("TRUSTED_PROXIES", "trusted_proxies")])
def test_a_list_can_be_emptied(name, field):
    """Empty on the command line of make or of the fleet; make's export of what nobody gave says nothing."""
    option = f"--{field.replace('_', '-')}"
    assert getattr(options.read(["up"], {name: "", "MAKE_GIVEN": f"RUN_DIR {name}"}), field) == ()
    assert getattr(options.read(["up", option, " "], {name: "10.0.0.1"}), field) == ()
    assert getattr(options.read(["up"], {name: "", "MAKE_GIVEN": "RUN_DIR"}), field) is None
    assert options.read(["up"], {"REPLICAS": "", "MAKE_GIVEN": "REPLICAS"}).replicas is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REPLICAS", "0"),
        ("REPLICAS", "x"),
        ("REPLICAS", "10000"),
        ("REPLICAS", "-1"),
        ("REPLICAS", "2.5"),
        ("REPLICAS", "²"),
        ("PORT", "99999"),
        ("PORT", "http"),
        ("PORT", "0"),
        ("BIND", "localhost"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("MODE", "docker"),
        ("DATA", "delete"),
        ("YES", "maybe"),
        ("FOLLOW", "yes"),
        ("SLOTS", "1000"),
        ("REPEAT", "0"),
        ("TLS_PORT", "https"),
        ("TLS_PORT", "65536"),
        ("ARGS", '-k "x'),
        ("RUN_DIR", "~no-such-account/x"),
        ("ENV_FILE", "~no-such-account/x"),
        ("TLS_KEY", "~no-such-account/x"),
    ],
)
def test_a_value_that_cannot_be_meant_is_one_sentence(name, value):
    """The sentence names the variable and the value, and the exit code is that of misuse."""
    with pytest.raises(UsageError) as caught:
        options.read(["up"], {name: value})
    assert f"{name}={value}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.code == 2


def test_a_certificate_that_is_a_link_stays_one(tmp_path):
    """A renewal points the link at a new file, and a reload has to read that one."""
    link = tmp_path / "fullchain.pem"
    link.symlink_to("fullchain1.pem")
    assert options.read(["up"], {"TLS_CERTIFICATE": str(link)}).tls_certificate == str(link)


def test_a_number_of_any_length_is_one_sentence():
    """Python itself refuses to read more than 4,300 digits; the sentence stays short."""
    with pytest.raises(UsageError, match=r"REPLICAS=9+… is not a whole number") as caught:
        options.read(["up"], {"REPLICAS": "9" * 5000})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("name", "meant"),
    [("PROT", "PORT"), ("REPLICA", "REPLICAS"), ("port", "PORT"), ("TLS_CERTIFICAT", "TLS_CERTIFICATE")],
)
def test_a_misspelt_variable_of_make_is_told(name, meant):
    """Make itself takes every name."""
    with pytest.raises(UsageError, match=rf"^{name}= .* did you mean {meant}=\?"):
        options.read(["up"], {"MAKE_GIVEN": f"RUN_DIR {name}"})


def test_other_names_are_programs_own():
    """What is known, and what make merely hands on."""
    others = "SHELL MAKEFLAGS CC LANG LC_ALL HTTP_PROXY HTTPS_PROXY NO_COLOR PYTEST_ADDOPTS FANOUT_TLS TMPDIR PATH HOME"
    options.read(["up"], {"MAKE_GIVEN": " ".join((*options.VARIABLES, "PYTHON", *others.split()))})


def test_a_loop_of_links_is_one_sentence(tmp_path):
    """No traceback."""
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match=r"RUN_DIR=.*/loop names no place"):
        options.read(["up"], {"RUN_DIR": str(tmp_path / "loop")})


def test_a_certificate_means_the_same_from_every_folder(monkeypatch, tmp_path):
    """A path is taken from where the command was given; 0 is a port too: it ends TLS."""
    monkeypatch.chdir(tmp_path)
    asked = options.read(["up", "--tls-port", "0"], {"TLS_CERTIFICATE": "a.pem", "TLS_KEY": "/b.pem"})
    assert (asked.tls_port, asked.tls_certificate, asked.tls_key) == (0, str(tmp_path / "a.pem"), "/b.pem")


@pytest.mark.parametrize("argv", [["upp"], ["up", "--replica", "3"], ["up", "down"]])
def test_an_unknown_verb_or_option_is_refused(argv):
    """Nothing is guessed."""
    with pytest.raises(UsageError, match="make help"):
        options.read(argv, {})
