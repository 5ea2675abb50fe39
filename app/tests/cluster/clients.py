"""Clients of a real fleet, and waiting for what becomes of it."""

import http.client
import json
import threading
import time


def await_that(holds, seconds, what):
    """Return how long it took until something held."""
    begin = time.monotonic()
    while not holds():
        assert time.monotonic() - begin < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return time.monotonic() - begin


def hears_itself(client, text):
    """Whether a message of a client comes back to it, past those of others."""
    client.send(json.dumps({"message": text}))
    while json.loads(client.recv(timeout=10))["message"] != text:
        pass
    return True


class Visitor(threading.Thread):
    """Asks for a page again and again, and keeps the statuses."""

    def __init__(self, fleet):
        super().__init__()
        self.fleet, self.statuses, self.done = fleet, [], threading.Event()

    def run(self):
        while not self.done.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.fleet.port, timeout=10)
            try:
                connection.request("GET", "/healthz")
                self.statuses.append(connection.getresponse().status)
            except (OSError, http.client.HTTPException) as error:
                self.statuses.append(error)
            finally:
                connection.close()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()
