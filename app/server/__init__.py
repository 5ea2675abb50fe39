"""Daphne as a replica: one process on its own unix socket. The only importer of daphne, twisted and autobahn."""
