"""What the proof says when a run can't be made, or can't be valid: one sentence, exit code 2."""


class ProofError(Exception):
    """The text says what is wrong and what to do."""


class UnreachableError(ProofError):
    """No connection: it may work later."""


class RefusedError(ProofError):
    """The handshake was not answered as a server of ours answers it."""
