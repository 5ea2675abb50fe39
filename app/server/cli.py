"""The command line of a replica: Daphne's, with a name, a socket folder and defaults that suit a fleet."""

from __future__ import annotations

from server.server import Server  # isort: skip - first: it installs Twisted's reactor

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from daphne.cli import CommandLineInterface

from server import collector
from server.endpoints import objection
from server.slot import Slot, SlotError, check_name, claimed

DEFAULT_APPLICATION = "config.asgi:application"
BINDINGS = ("host", "port", "unix_socket", "file_descriptor", "socket_strings")


class CommandLine(CommandLineInterface):
    """`python -m server [application] [--name web-1] [--pod POD] [--socket-dir DIR] [--pid-file FILE] [Daphne's]`."""

    description = "One replica of a Channels application: Daphne on its own unix socket."

    def __init__(self) -> None:
        super().__init__()
        self.server_class = self.make_server
        self.parser.prog = "python -m server"
        for action in self.parser._actions:  # noqa: SLF001 - argparse has no other way to relax a positional
            if action.dest == "application":
                action.nargs, action.default = "?", DEFAULT_APPLICATION
                action.help = f"The ASGI application, as module:object (default {DEFAULT_APPLICATION})"
        # Daphne closes every socket after 24 h; a replica has no reason to.
        self.parser.set_defaults(websocket_timeout=-1)
        self.parser.add_argument("--name", help="The replica's name; names its socket (default: first free web-N)")
        self.parser.add_argument("--pod", help="The pod it runs in: over the fleet its name is then <pod>-<name>")
        self.parser.add_argument("--socket-dir", type=Path, help="Folder for <name>.sock, where nginx finds it")
        self.parser.add_argument("--pid-file", type=Path, help="Written when it listens, removed at the exit")

    def run(self, args: list[str]) -> None:
        """Decode the arguments and serve. When it can't, ends with a sentence: code 2 for a flag, 1 for the rest."""
        self.options = self.parser.parse_args(args)
        for endpoint in self.options.socket_strings:
            if said := objection(endpoint):
                self.parser.error(f"argument -e: {said}")
        self.claims = ExitStack()
        try:
            # Daphne wants a binding, or it takes TCP port 8000; make_server puts the slot's in its place.
            binding = ["-e", "unix:"] if self.options.socket_dir and not self._bound() else []
            super().run([*args, *binding])
        except SlotError as error:
            sys.exit(f"Cannot start: {error}")

    def make_server(self, **options: Any) -> Server:
        """Return the server for Daphne's options and ours; called when the application is imported."""
        given = self.options
        slots = self._slots()
        options["endpoints"] = [e for e in options["endpoints"] if e != "unix:" and not self._is_plain_unix(e)]
        options["endpoints"] += [slot.endpoint for slot in slots]
        if not given.access_log:
            options["action_logger"] = None  # nginx writes the access log
        if slots and len(options["endpoints"]) == len(slots) and not given.proxy_headers:
            # On a unix socket the client's address is what nginx says, and nothing else is believed.
            options["proxy_forwarded_address_header"] = "X-Real-IP"
            options["proxy_forwarded_proto_header"] = "X-Forwarded-Proto"
        name = check_name(given.name) if given.name else slots[0].name if slots else ""
        if given.pod:
            # Every pod has a web-1: what tells replicas apart is both.
            name = f"{check_name(given.pod, '--pod')}-{name}" if name else given.pod
        return Server(**options, name=name, pid_file=given.pid_file, listening=self._listening, lifespan=True)

    def load_asgi_app(self, asgi_app_path: str) -> Any:
        """Return the application, or end with a sentence."""
        module, _, attribute = asgi_app_path.partition(":")
        if not all(part.isidentifier() for part in (*module.split("."), *attribute.split("."))):
            sys.exit(
                f"Cannot start: the application {asgi_app_path!r} must be given as module:object, "
                f"for example {DEFAULT_APPLICATION}."
            )
        try:
            return super().load_asgi_app(asgi_app_path)
        except ModuleNotFoundError as error:
            if error.name and (module == error.name or module.startswith(f"{error.name}.")):
                sys.exit(f"Cannot start: there is no module {error.name!r} for the application {asgi_app_path!r}.")
            raise
        except AttributeError:
            if module in sys.modules:  # else it broke while it was imported
                sys.exit(f"Cannot start: the module {module!r} has no {attribute!r}.")
            raise

    def _listening(self) -> None:
        self.claims.close()
        collector.settle()

    def _bound(self) -> bool:
        return any(getattr(self.options, name) not in (None, []) for name in BINDINGS)

    def _slots(self) -> list[Slot]:
        given, slots = self.options, []
        if given.socket_dir:
            slots.append(self.claims.enter_context(claimed(given.socket_dir, given.name)))
        if given.unix_socket:
            path = Path(given.unix_socket)
            slots.append(self.claims.enter_context(claimed(path.parent, path.stem, path.suffix)))
        return slots

    def _is_plain_unix(self, endpoint: str) -> bool:
        return bool(self.options.unix_socket) and endpoint == f"unix:{self.options.unix_socket}"
