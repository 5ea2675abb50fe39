"""`python -m server` starts one replica."""

from server.cli import CommandLine

CommandLine.entrypoint()
