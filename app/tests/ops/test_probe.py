"""The health check of a container: which socket it asks, and what it makes of the answer."""

import socket
import threading

import pytest

from ops import probe

HEAD = "Num       RefCount Protocol Flags    Type St Inode Path\n"


def row(flags, path):
    return f"0000000000000000: 00000002 00000000 {flags} 0001 01 4711 {path}\n"


def test_the_replica_is_the_listening_socket():
    """Connections have the same path and do not listen; other listeners have other names."""
    connection, other = row("00000000", "/run/fanout/web-2.sock"), row("00010000", "/run/x.control")
    table = HEAD + connection + other + row("00010000", "") + row("00010000", "/run/fan out/web-2.sock")
    assert probe.listener(table) == "/run/fan out/web-2.sock"
    assert probe.listener(HEAD + connection) is None


def test_it_finds_a_real_listener(tmp_path):
    """As the kernel writes its table."""
    path = str(tmp_path / "web-9.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        rows = [line for line in probe.TABLE.read_text().splitlines() if path in line]
        assert probe.listener("\n".join(["head", *rows])) == path


@pytest.mark.parametrize(("status", "code"), [("200 OK", 0), ("503 Service Unavailable", 1)])
def test_the_status_decides(tmp_path, monkeypatch, capsys, status, code):
    """The body is printed either way."""
    path = str(tmp_path / "web-1.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        answer = f"HTTP/1.0 {status}\r\nContent-Type: application/json\r\n\r\n{{}}".encode()

        def serve():
            link, _ = server.accept()
            with link:
                link.recv(1000)
                link.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        monkeypatch.setattr(probe, "listener", lambda _: path)
        assert probe.main() == code
        thread.join()
    assert capsys.readouterr().out == "{}\n"


def test_a_replica_is_asked_by_its_path(tmp_path, capsys):
    """In a pod replicas share one table of sockets; whether it is alive is another question than whether it serves."""
    path, asked = str(tmp_path / "web-2.sock"), []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()

        def serve():
            for status in ("503 Service Unavailable", "200 OK"):
                link, _ = server.accept()
                with link:
                    asked.append(link.recv(1000).split()[1])
                    link.sendall(f"HTTP/1.0 {status}\r\n\r\n{{}}".encode())

        thread = threading.Thread(target=serve)
        thread.start()
        assert [probe.main([path]), probe.main(["--alive", path])] == [1, 0]
        thread.join()
    assert asked == [b"/readyz", b"/healthz"]
    assert capsys.readouterr().out == "{}\n{}\n"


def test_nobody_there_is_ill(tmp_path, monkeypatch, capsys):
    """A sentence says which of the two it is: nothing listens, or what listens is dead."""
    monkeypatch.setattr(probe, "listener", lambda _: None)
    assert probe.main() == 1
    monkeypatch.setattr(probe, "listener", lambda _: str(tmp_path / "web-1.sock"))
    assert probe.main() == 1
    assert capsys.readouterr().out.startswith("no replica listens here\nweb-1 does not answer: ")
