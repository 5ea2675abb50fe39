"""Fan-out for Django Channels: one layer membership a process, one prepared frame for all of its sockets."""

__version__ = "0.1.0"
