"""The same, where handlers are cancelled soon, and the end of the loop is said."""

import threading

import scripted
from holding import application  # noqa: F401 - what is served

import server.drain

server.drain.HANDLERS_LIMIT = 0.1
threading._register_atexit(scripted.note, "holds no loop any more")
