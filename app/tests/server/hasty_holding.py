"""The same, where the last resort comes soon."""

from holding import application  # noqa: F401 - what is served

import server.drain
import server.ending

server.drain.HANDLERS_LIMIT = 0.1
server.ending.DRAIN_LIMIT = 2
