"""The chat: rooms that anyone may enter, the same for the tutorial's client and for fanout.v1."""
