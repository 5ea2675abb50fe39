"""A proxy that breaks things on purpose, to show that the proof fails."""
