"""Clients that talk while something is broken; started beside a drill: `python traffic.py URL CLIENTS RATE`."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

TEXT = "x" * 1000
RETRY_SECONDS = 0.2


def main(url: str, clients: int, rate: float) -> None:
    """Have clients talk for ever, and come back when they are cut."""
    talkers = [threading.Thread(target=talk, args=(url, clients / rate), daemon=True) for _ in range(clients)]
    for talker in talkers:
        talker.start()
    for talker in talkers:
        talker.join()


def talk(url: str, pause: float) -> None:
    """Say something again and again; what is heard is thrown away."""
    while True:
        with contextlib.suppress(OSError, WebSocketException), connect(url, proxy=None) as client:
            listener = threading.Thread(target=lambda client=client: list(client), daemon=True)
            listener.start()
            while listener.is_alive():
                client.send(json.dumps({"message": TEXT}))
                time.sleep(pause)
        time.sleep(RETRY_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
