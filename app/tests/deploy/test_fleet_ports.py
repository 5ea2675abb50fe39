import errno
import os
import socket

import pytest

from fleet import ports
from fleet.errors import FleetError
from fleet.state import Settings
from tests.ports import a_free_port


@pytest.fixture
def taken():
    """A port that this process listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", a_free_port()))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_tells_who_and_the_remedy(run, taken):
    """One sentence: the port, the process, another port that is free."""
    with pytest.raises(FleetError) as caught:
        ports.refuse_taken("127.0.0.1", taken, run)
    text = str(caught.value)
    assert f"Port {taken} is in use" in text
    assert f"process {os.getpid()}" in text
    remedy = int(text.partition("make up PORT=")[2].rstrip("."))
    assert ports.try_bind("127.0.0.1", remedy) is None


def test_our_own_nginx_is_no_obstacle(run, taken, monkeypatch):
    """A listener whose working folder is this fleet's nginx folder is the fleet itself."""
    monkeypatch.setattr(ports, "holders", lambda port: [ports.Holder(1, "nginx: master", str(run.nginx))])
    ports.refuse_taken("127.0.0.1", taken, run)


def test_a_holder_that_may_not_be_seen_is_left_out(run, taken, monkeypatch):
    """Other accounts' processes cannot be named; the remedy still is."""
    monkeypatch.setattr(ports, "holders", lambda port: [])
    with pytest.raises(FleetError, match=rf"Port {taken} is in use: end it, or take another one: make up PORT="):
        ports.refuse_taken("127.0.0.1", taken, run)


def test_an_address_of_another_machine_is_refused(run):
    """Told before anything starts."""
    with pytest.raises(FleetError, match=r"BIND=192\.0\.2\.1 does not work here"):
        ports.refuse_taken("192.0.2.1", 8080, run)


def test_a_port_for_root_alone_is_told(run, monkeypatch):
    """Below 1024 an ordinary account may not listen."""
    monkeypatch.setattr(ports, "try_bind", lambda address, port: errno.EACCES)
    with pytest.raises(FleetError, match="root's rights"):
        ports.refuse_taken("127.0.0.1", 80, run)


def test_up_checks_what_it_will_use(run, taken):
    """The port of the command line, or the one that was kept."""
    with pytest.raises(FleetError, match="in use"):
        ports.refuse_all_taken(Settings(port=taken, bind=("127.0.0.1",)), run)


def test_an_address_that_covers_another_is_in_its_way():
    """Nobody can listen on the loopback while one and the same port of all addresses is taken, nor the other way."""
    for has, wants in (("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "0.0.0.0"), ("::", "::1")):
        port, family = a_free_port(), socket.AF_INET6 if ":" in has else socket.AF_INET
        with socket.create_server((has, port), family=family):
            assert ports.listening(port) == {has}
            assert ports.listens(Settings(port=port, bind=(has,)))
            assert not ports.is_in_its_own_way(Settings(port=port, bind=(has,)))
            assert ports.is_in_its_own_way(Settings(port=port, bind=(wants,)))
            assert not ports.listens(Settings(port=port, bind=(wants,)))


def test_a_machine_without_ipv6_listens_on_the_other_loopback(monkeypatch):
    """The default is both loopbacks, as far as they exist; what was asked for is taken as it is."""
    monkeypatch.setattr(ports, "try_bind", lambda address, port: errno.EADDRNOTAVAIL if ":" in address else None)
    assert ports.addresses(Settings()) == ("127.0.0.1",)
    assert ports.addresses(Settings(bind=("::1",))) == ("::1",)


@pytest.mark.parametrize(("bind", "reached"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("127.0.0.2", "127.0.0.2")])
def test_this_machine_reaches_nginx_at_a_real_address(bind, reached):
    """A wildcard is no address to connect to."""
    assert ports.first(Settings(bind=(bind,))) == reached


def test_ports_for_a_while_are_free_and_different():
    """Where nobody listens, and no outgoing connection comes from."""
    found = ports.unused(9)
    assert len(set(found)) == 9
    assert set(found) <= set(ports.OWN)
    assert ports.OWN[-1] < 32_768  # where Linux begins with outgoing ones
    with socket.create_server(("127.0.0.1", found[0])):
        assert found[0] not in ports.unused(9)


def test_when_all_of_them_are_taken_that_is_told(monkeypatch):
    """With the range."""
    monkeypatch.setattr(ports, "try_bind", lambda address, port: errno.EADDRINUSE)
    with pytest.raises(FleetError, match="No 2 ports from 31000 to 31999 are free: end what holds them"):
        ports.unused(2)
