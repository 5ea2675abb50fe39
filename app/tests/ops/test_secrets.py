"""The Job that makes secrets, against a server that speaks as the API server does."""

import base64
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ops import secrets
from tests.certificates import write


class Api:
    """Secrets behind TLS and a token; a patch with another version than the Secret's is a conflict."""

    def __init__(self, folder):
        self.secrets, self.asked, self.meanwhile = {}, [], None
        certificate, key = write(folder, "ca")
        certificate.rename(folder / "ca.crt")
        (folder / "token").write_text("the-token\n")
        (folder / "namespace").write_text("fleet\n")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "ca.crt", key)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.server.server_port)}
        self.cluster = secrets.Cluster(folder, environ)

    def put(self, name, **data):
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        version = int(self.secrets[name]["metadata"]["resourceVersion"]) + 1 if name in self.secrets else 1
        self.secrets[name] = {"metadata": {"resourceVersion": str(version)}, **({"data": encoded} if encoded else {})}

    def value(self, name, key):
        return base64.b64decode(self.secrets[name]["data"][key])

    def handler(api):  # noqa: N805 - the handler below has the self
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer(lambda secret: secret)

            def do_PATCH(self):
                change = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                api.asked.append(self.headers["Content-Type"])
                if api.meanwhile:
                    api.meanwhile = api.meanwhile()

                def patched(secret):
                    if change["metadata"]["resourceVersion"] != secret["metadata"]["resourceVersion"]:
                        return None
                    secret.setdefault("data", {}).update(change["data"])
                    return secret

                self.answer(patched)

            def answer(self, act):
                name = self.path.removeprefix("/api/v1/namespaces/fleet/secrets/")
                if self.headers["Authorization"] != "Bearer the-token" or name not in api.secrets:
                    return self.say(403, {"message": f'secrets "{name}" is forbidden'})
                said = act(api.secrets[name])
                return self.say(200, said) if said else self.say(409, {"message": "changed"})

            def say(self, status, body):
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        return Handler


@pytest.fixture
def api(tmp_path):
    made = Api(tmp_path)
    yield made
    made.server.shutdown()
    made.server.server_close()


WISHES = [secrets.wish("all/a=32"), secrets.wish("all/b=50")]


def test_what_is_missing_is_made_and_nothing_else(api):
    """A key that is there stays; one that is there and empty is made."""
    api.put("all", a=b"mine", b=b" ", other=b"too")
    assert secrets.fill(api.cluster, "all", WISHES) == ["b"]
    assert api.value("all", "a") == b"mine"
    assert api.value("all", "other") == b"too"
    assert len(api.value("all", "b")) > 50
    assert api.asked == ["application/merge-patch+json"]
    assert secrets.fill(api.cluster, "all", WISHES) == []
    assert len(api.asked) == 1


def test_two_clusters_have_different_secrets(api):
    """Also two keys of one."""
    api.put("all")
    secrets.fill(api.cluster, "all", WISHES)
    first = api.value("all", "a")
    api.put("all")
    secrets.fill(api.cluster, "all", WISHES)
    assert len({first, api.value("all", "a"), api.value("all", "b")}) == 3


def test_who_was_first_wins(api):
    """A user puts a secret in between the look and the patch: theirs stays."""
    api.put("all")
    api.meanwhile = lambda: api.put("all", a=b"theirs")
    assert secrets.fill(api.cluster, "all", WISHES) == ["b"]
    assert api.value("all", "a") == b"theirs"


def test_a_secret_that_is_not_there_is_told_in_a_sentence(api):
    """With the server's own words."""
    with pytest.raises(secrets.ClusterError, match=r'secret none of the namespace fleet.*"none" is forbidden'):
        secrets.fill(api.cluster, "none", WISHES)


def test_outside_a_pod_a_sentence_says_so(capsys, monkeypatch):
    """And the exit code tells a misspelt wish from it."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert secrets.main(["all/a=32"]) == 1
    assert "This is no pod with a service account" in capsys.readouterr().err
    assert secrets.main(["all/a"]) == 2
    assert "'all/a' is no NAME/KEY=BYTES: for example redis-password/password=32." in capsys.readouterr().err
