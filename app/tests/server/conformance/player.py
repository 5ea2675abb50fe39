"""Plays a case against a server, byte by byte, and judges as the Autobahn Testsuite does."""

from __future__ import annotations

import contextlib
import time

from websockets.client import ClientProtocol
from websockets.frames import Frame as Received
from websockets.frames import Opcode
from websockets.uri import parse_uri

from tests.replicas import LIMIT
from tests.server.conformance.case import FRAME_BY_FRAME, NORMAL, Answers, Case, Rounds, Silence, close

OK, NON_STRICT, INFORMATIONAL = "OK", "NON-STRICT", "INFORMATIONAL"
PASSED = (OK, NON_STRICT, INFORMATIONAL)
SILENCE_SECONDS = 0.2
"""The suite waits a second; a server that fails the connection does so at once."""


def play(case: Case, raw, path: str, patience: float) -> str:
    """Return the suite's verdict: one of PASSED, or else what is wrong; `patience` seconds for each answer."""
    player = Player(raw, path, patience)
    try:
        player.do(case)
        player.finish(case)
    except TimeoutError:
        return f"nothing more came within {patience:g} s; before: {player.report}"
    return verdict(case, player)


def verdict(case: Case, player: Player) -> str:
    """Judge what has come; the connection has ended."""
    if case.informational:
        return INFORMATIONAL
    if case.clean and player.close_code is None:
        return f"no close frame; before: {player.report}"
    if player.close_code not in (None, *case.codes):
        return f"close code {player.close_code}, not {case.codes}; before: {player.report}"
    if tuple(player.events) == case.ok:
        return OK
    return NON_STRICT if tuple(player.events) == case.non_strict else f"other events: {player.report}"


class Player:
    """One WebSocket over a blocking socket. What it sends need not be legal; what it hears has to be."""

    def __init__(self, raw, path, patience):
        self.raw, self.patience = raw, patience
        self.events = []
        self.ended = False
        self._parts = []
        self._protocol = ClientProtocol(parse_uri(f"ws://localhost{path}"), max_size=None)
        self._protocol.send_request(self._protocol.connect())
        self._answer()
        self._until(
            lambda: self._protocol.state is not self._protocol.state.CONNECTING, LIMIT
        )  # to connect is no answer

    @property
    def close_code(self):
        """The code of the server's close frame; None as long as there is none."""
        return self._protocol.close_rcvd and self._protocol.close_rcvd.code

    @property
    def is_over(self):
        """Whether the server has said its last."""
        return self.ended or self._protocol.close_rcvd is not None

    @property
    def report(self):
        """The events in short."""
        return repr([(*event[:1], event[1][:20], *event[2:]) for event in self.events][-5:])

    def do(self, case):
        """Send what the case sends; frames without a wait between them go out together."""
        waiting = []
        for step in case.steps:
            if hasattr(step, "serialize"):
                waiting.append(step.serialize())
                continue
            self.send(*waiting, chop=case.chop)
            waiting = []
            self._wait(step)
        self.send(*waiting, chop=case.chop)

    def finish(self, case):
        """Close, or be closed; the server has to be the one that hangs up."""
        if case.server_fails:
            self._until(lambda: self.is_over)
            self._answer()
        elif not case.closes_itself:
            self._until(lambda: len(self.events) >= len(case.ok) or self.is_over)
            self.send(close(NORMAL).serialize())
        self.until_end()

    def send(self, *pieces, chop=None):
        """Write them; that a server has hung up is seen when reading."""
        if chop == FRAME_BY_FRAME:
            writes = pieces
        else:
            data = b"".join(pieces)
            size = chop or max(1, len(data))
            writes = [data[start : start + size] for start in range(0, len(data), size)]
        self.raw.settimeout(self.patience)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in writes:
                self.raw.sendall(piece)

    def until_end(self):
        """Wait until the server hangs up."""
        self._until(lambda: self.ended)

    def _wait(self, step):
        match step:
            case Answers(count):
                self._until(lambda: len(self.events) >= count or self.is_over)
            case Silence(name):
                with contextlib.suppress(TimeoutError):
                    self._until(lambda: self.is_over, SILENCE_SECONDS)
                if not self.is_over:
                    self.events.append(("timeout", name))
            case Rounds(frame, count):
                for n in range(1, count + 1):
                    self.send(frame.serialize())
                    self._until(lambda n=n: len(self.events) >= n or self.is_over)

    def _answer(self):
        """Send what a client owes: its handshake, the answer to a close frame."""
        self.send(*self._protocol.data_to_send())

    def _until(self, done, seconds=None):
        deadline = time.monotonic() + (seconds or self.patience)
        while not done():
            self.raw.settimeout(max(0.001, deadline - time.monotonic()))
            self._hear()

    def _hear(self):
        try:
            data = self.raw.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
            self.ended = True
        for event in self._protocol.events_received():
            if isinstance(event, Received):
                self._take(event)
        error = self._protocol.parser_exc
        assert error is None or isinstance(error, EOFError), f"the server broke the protocol: {error!r}"

    def _take(self, frame):
        if frame.opcode is Opcode.PONG:
            self.events.append(("pong", bytes(frame.data)))
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._parts.append(frame)
            if frame.fin:
                payload = b"".join(part.data for part in self._parts)
                self.events.append(("message", payload, self._parts[0].opcode is Opcode.BINARY))
                self._parts = []
