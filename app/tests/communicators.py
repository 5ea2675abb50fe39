"""The communicators of channels.testing with more patience: a busy machine may take longer than their own second."""

# ruff: noqa: ASYNC109 - the signatures are Channels'

from channels import testing

from tests.replicas import LIMIT


class _Patient(testing.ApplicationCommunicator):
    async def wait(self, timeout=LIMIT):
        await super().wait(timeout)

    async def receive_output(self, timeout=LIMIT):
        return await super().receive_output(timeout)


class HttpCommunicator(_Patient, testing.HttpCommunicator):
    """One request."""

    async def get_response(self, timeout=LIMIT):
        """The whole answer: status, headers, body."""
        return await super().get_response(timeout)


class WebsocketCommunicator(_Patient, testing.WebsocketCommunicator):
    """One socket."""

    async def connect(self, timeout=LIMIT):
        """Whether it was accepted, and the subprotocol or the close code."""
        return await super().connect(timeout)

    async def receive_from(self, timeout=LIMIT):
        """The next frame."""
        return await super().receive_from(timeout)

    async def receive_json_from(self, timeout=LIMIT):
        """What the next frame holds."""
        return await super().receive_json_from(timeout)

    async def disconnect(self, code=1000, timeout=LIMIT):
        """Go, and wait until the application has ended."""
        await super().disconnect(code, timeout)
