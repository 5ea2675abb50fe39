"""A Twisted server on lean transports that sends a file by Twisted's own pull producer, then hangs up.

`python -m pulling PLACE FILE`; the place is `tcp` (a free port, which it says) or the path of a unix socket.
"""

import sys
from pathlib import Path

from twisted.internet import asyncioreactor

asyncioreactor.install()

from twisted.internet import reactor  # noqa: E402 - after it is chosen
from twisted.internet.protocol import Factory, Protocol  # noqa: E402
from twisted.protocols.basic import FileSender  # noqa: E402

from server.transport import LEAN  # noqa: E402


class Sending(Protocol):
    def connectionMade(self):  # noqa: N802 - Twisted's name
        sent = FileSender().beginFileTransfer(self.factory.path.open("rb"), self.transport)
        sent.addCallback(lambda _last: self.transport.loseConnection())


def main(place, path):
    factory = Factory.forProtocol(Sending)
    factory.path = Path(path)
    port = (
        reactor.listenTCP(0, factory, interface="127.0.0.1") if place == "tcp" else reactor.listenUNIX(place, factory)
    )
    port.transport = LEAN[type(port)]
    sys.stderr.write(f"listens on {getattr(port.getHost(), 'port', place)}\n")
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
