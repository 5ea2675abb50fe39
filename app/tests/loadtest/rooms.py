"""A room of plain clients, as anybody's consumer may be, that goes wrong on request."""

import asyncio
import contextlib
import http

from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from fanout import close_codes

READ_BYTES = 1 << 16


class Room:
    """Sends what a client says to all that are there."""

    def __init__(self, *, swallows=0, turns_away=0, echoes=True):
        """It `swallows` one message in so many, closes the first connections it `turns_away`, may not `echo`."""
        self.swallows, self.turns_away, self.echoes = swallows, turns_away, echoes
        self.turned_away = self.heard = 0
        self._members = []

    async def serve(self, reader, writer):
        """Serve one connection to its end."""
        protocol = ServerProtocol()
        with contextlib.suppress(ConnectionError):
            while not (events := protocol.events_received()):
                protocol.receive_data(await reader.read(READ_BYTES))
            response = protocol.accept(events[0])
            response.headers["X-Replica"] = "web-1"
            protocol.send_response(response)
            if response.status_code == http.HTTPStatus.SWITCHING_PROTOCOLS and self.turned_away < self.turns_away:
                self.turned_away += 1
                protocol.send_close(close_codes.TRY_AGAIN_LATER)
            # In one piece: the client reads the close frame with the answer.
            writer.write(b"".join(protocol.data_to_send()))
            await self._listen(protocol, reader, writer)
        writer.close()

    async def _listen(self, protocol, reader, writer):
        self._members.append(member := (protocol, writer))
        try:
            while data := await reader.read(READ_BYTES):
                protocol.receive_data(data)
                for event in protocol.events_received():
                    if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                        self._send(member, event.data)
                writer.write(b"".join(protocol.data_to_send()))
        finally:
            self._members.remove(member)

    def _send(self, speaker, text):
        self.heard += 1
        if self.swallows and self.heard % self.swallows == 0:
            return
        for protocol, writer in self._members:
            if protocol.close_expected() or ((protocol, writer) == speaker and not self.echoes):
                continue
            protocol.send_text(text)
            writer.write(b"".join(protocol.data_to_send()))


@contextlib.asynccontextmanager
async def a_room(**faults):
    """Open a Room; the context's value is the room and its address."""
    room = Room(**faults)
    server = await asyncio.start_server(room.serve, "127.0.0.1", 0)
    async with server:
        yield room, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
