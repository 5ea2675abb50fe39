"""Stock Daphne that accepts permessage-deflate, with the parameters that autobahn takes by default."""

from __future__ import annotations

from daphne.server import Server  # isort: skip - first: it installs Twisted's reactor

import sys
from typing import Any

from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from daphne.cli import CommandLineInterface


class DeflatingServer(Server):
    """Daphne's server; each socket has a compressor and a decompressor of its own."""

    def listen_success(self, port: Any) -> None:
        """Accept the first offer of permessage-deflate."""
        super().listen_success(port)
        self.ws_factory.setProtocolOptions(perMessageCompressionAccept=accept)


def accept(offers: list[Any]) -> Any:
    """Return the answer to a client's offers; None without one."""
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return PerMessageDeflateOfferAccept(offer)
    return None


if __name__ == "__main__":
    line = CommandLineInterface()
    line.server_class = DeflatingServer
    line.run(sys.argv[1:])
