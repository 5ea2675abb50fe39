"""Wiring of the application: environment, settings, routes. Nothing else lives here."""
