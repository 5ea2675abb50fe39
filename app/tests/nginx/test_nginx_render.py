import re
from dataclasses import replace
from pathlib import Path

import pytest

from fleet import nginx, packages
from fleet.kubernetes import edge as pod_edge
from fleet.limits import ClientLimits
from fleet.options import REPOSITORY
from fleet.quality import check_nginx

EDGE = nginx.Edge(
    port=8080,
    bind=("127.0.0.1", "::1"),
    sockets=Path("/run/sockets"),
    static=Path("/run/static"),
    prefix=Path("/run/nginx"),
    pid=Path("/run/pids/nginx.pid"),
    descriptors=2048,
    connections=1024,
)
SECURE = replace(EDGE, tls=nginx.Tls(8443, "/etc/certificate.pem", "/etc/key.pem"))
ONLY = replace(EDGE, tls=nginx.Tls(8443, "/etc/certificate.pem", "/etc/key.pem", only_at=":8443", hsts="max-age=9"))
SNIPPETS = sorted((REPOSITORY / "nginx/snippets").glob("*.conf"))


def test_it_is_one_whole_file():
    """Nothing is left to include or to fill in, and each snippet is in it once."""
    text = nginx.render(replace(SECURE, inside_port=8081, limits=ClientLimits()))
    only = nginx.render(replace(ONLY, limits=ClientLimits()))
    assert "@{" not in text + only
    assert not re.search(r"^\s*include", text + only, re.MULTILINE)
    for snippet in SNIPPETS:
        assert text.count(f"# ---- snippets/{snippet.name}\n") == (snippet.stem != "redirect")
    assert only.count("# ---- snippets/redirect.conf\n") == 1


def test_a_pods_nginx_has_its_own_values():
    """As many workers as replicas, whatever the node has; places for its replicas alone; trust named at its start."""
    text = nginx.render(pod_edge.values())
    assert re.findall(r"^worker_processes (.*);$", text, re.MULTILINE) == ["2"]
    assert len(re.findall(r'server "unix:', text)) == pod_edge.REPLICAS
    assert re.findall(r'^\s*include "(.*)";$', text, re.MULTILINE) == [
        "/etc/nginx/trusted/addresses.conf", "/etc/nginx/trusted/scheme.conf",
    ]  # fmt: skip


def test_rendering_is_pure():
    """The same values give the same text, so a changed text is a changed configuration."""
    assert nginx.render(EDGE) == nginx.render(replace(EDGE))


def test_slots_are_fixed():
    """Sixteen by default, each with a short memory for failures."""
    servers = re.findall(r'^ *server "unix:(.*)" max_fails=1 fail_timeout=1s;$', nginx.render(EDGE), re.MULTILINE)
    assert servers == [f"/run/sockets/web-{number}.sock" for number in range(1, 17)]
    assert nginx.render(replace(EDGE, slots=2)).count('server "unix:') == 2


def test_it_listens_where_it_should():
    """IPv6 addresses stand in brackets; nothing else is listened on."""
    listens = re.findall(r"^ *listen (\S+)", nginx.render(EDGE), re.MULTILINE)
    assert listens == ["127.0.0.1:8080", "[::1]:8080"]


def test_tls_is_there_only_when_it_was_asked_for():
    """One listener more on each address, with HTTP/2 and its certificate; without, no word of it."""
    listens = re.findall(r"^ *listen (.*) backlog=4096;", nginx.render(SECURE), re.MULTILINE)
    assert listens == ["127.0.0.1:8080", "[::1]:8080", "127.0.0.1:8443 ssl http2", "[::1]:8443 ssl http2"]
    assert 'ssl_certificate "/etc/certificate.pem";' in nginx.render(SECURE)
    assert not re.search(r"^ *ssl_|tls\.conf", nginx.render(EDGE), re.MULTILINE)


def test_where_tls_is_the_only_way_in_the_plain_port_has_a_server_of_its_own():
    """Each address is listened on once, and the names of headers stay where there is nothing to say."""
    listens = re.findall(r"^ *listen (.*) backlog=4096;", nginx.render(ONLY), re.MULTILINE)
    assert sorted(listens) == sorted([
        "127.0.0.1:8080", "[::1]:8080", "127.0.0.1:8443 ssl http2", "[::1]:8443 ssl http2",
    ])  # fmt: skip
    assert "return 308 https://$host:8443$request_uri;" in nginx.render(ONLY)
    assert '"max-age=9"' in nginx.render(ONLY)
    assert "max-age=9" not in nginx.render(SECURE)
    assert "return 308" not in nginx.render(SECURE)


def test_another_certificate_under_the_same_path_is_another_configuration():
    """So that `make up` has it taken up."""
    renewed = replace(ONLY, tls=replace(ONLY.tls, digest="0123"))
    assert nginx.render(renewed) != nginx.render(ONLY)


def test_the_port_for_the_inside_is_there_only_where_it_was_asked_for():
    """A container has it; a machine of its own has loopback addresses."""
    listens = re.findall(r"^ *listen (\S+)", nginx.render(replace(EDGE, inside_port=8081)), re.MULTILINE)
    assert sorted(listens) == ["127.0.0.1:8080", "127.0.0.1:8081", "[::1]:8080", "[::1]:8081"]
    assert "inside.conf" not in nginx.render(EDGE)


def test_nobody_is_trusted_unless_named():
    """Without TRUSTED_PROXIES there is no set_real_ip_from, and never the header that a client can fill."""
    text = nginx.render(EDGE)
    assert not re.search(r"^\s*set_real_ip_from", text, re.MULTILINE)
    assert not re.search(r"^[^#]*proxy_add_x_forwarded_for", text, re.MULTILINE)
    trusting = nginx.render(replace(EDGE, trusted_proxies=("10.0.0.0/8", "192.0.2.7/32")))
    assert re.findall(r"set_real_ip_from (\S+);", trusting) == ["10.0.0.0/8", "192.0.2.7/32"]


def test_only_root_names_a_user():
    """For others the directive would be a warning at each start."""
    assert not re.search(r"^user ", nginx.render(EDGE), re.MULTILINE)
    assert re.search(r"^user root;$", nginx.render(replace(EDGE, user="root")), re.MULTILINE)


def test_the_read_timeout_is_longer_than_a_ping_and_its_answer():
    """Daphne's defaults are 20 s and 30 s; a socket whose client lives is never cut by nginx."""
    seconds = int(re.search(r"^ *proxy_read_timeout (\d+)s;", nginx.render(EDGE), re.MULTILINE)[1])
    assert seconds > 20 + 30


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda path: path.stem)
def test_each_snippet_says_why(snippet):
    """A heading, and a link to nginx' own documentation."""
    text = snippet.read_text()
    assert text.startswith("# ")
    assert snippet.stem == "operations" or "https://nginx.org/en/docs/" in text


def test_no_location_drops_the_headers_of_all():
    """One proxy_set_header in a location would replace every inherited one."""
    text = nginx.render(EDGE)
    server = text[text.index("  server {") :]
    assert "proxy_set_header" not in re.sub(r"#.*", "", server)


def test_no_location_writes_a_query_into_the_error_log():
    """Each is silent, or leads who has one to a place that is (snippets/queries.conf)."""
    for edge in (replace(SECURE, inside_port=8081, limits=ClientLimits()), ONLY, pod_edge.values()):
        lines = re.sub(r"#.*", "", nginx.render(edge))
        locations = re.findall(r"^( *)location ([^\n]*) {\n(.*?)^\1}", lines, re.MULTILINE | re.DOTALL)
        assert len(locations) > 10
        for _, name, body in locations:
            assert "error_log stderr alert;" in body or re.search(r"if \(\$has_query\) {\s+return 41[89];", body), name


def test_nginx_accepts_it(folder):
    """With proxies, both loopbacks and an odd path."""
    odd = folder / "with space ü"
    odd.mkdir()
    (odd / "temporary").mkdir()
    edge = replace(
        EDGE, sockets=odd, static=odd, prefix=odd, pid=odd / "pid", user=nginx.user(), trusted_proxies=("10.0.0.0/8",)
    )
    path = odd / "nginx.conf"
    path.write_text(nginx.render(edge))
    nginx.test(path, packages.require("nginx"))


def test_make_check_tests_it_too():
    """`make check` needs no fleet for it."""
    check_nginx()


def test_a_configuration_is_replaced_only_when_it_differs(folder):
    """So that `make up` on a running fleet does not reload for nothing."""
    (folder / "nginx").mkdir()
    (folder / "nginx/temporary").mkdir()
    edge = replace(EDGE, prefix=folder / "nginx", pid=folder / "pid", user=nginx.user())
    path, binary = folder / "nginx/nginx.conf", packages.require("nginx")
    assert nginx.write(path, nginx.render(edge), binary)
    nginx.taken_up(path)
    assert not nginx.write(path, nginx.render(edge), binary)
    assert nginx.write(path, nginx.render(replace(edge, port=8081)), binary)
