"""`python -m server` starts one replica."""

import gc

gc.disable()  # there is no garbage in what is imported; collector.settle() enables it

from server.cli import CommandLine  # noqa: E402 - behind it

CommandLine.entrypoint()
