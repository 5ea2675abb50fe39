"""What the contract's tests send, and where."""

GROUPS = [f"chat.room-{number}" for number in range(12)]
"""Enough that two hosts get some each."""
MANY = 200


def event(text="hello", **more):
    """Return an event as Channels has it."""
    return {"type": "test.message", "text": text, **more}
