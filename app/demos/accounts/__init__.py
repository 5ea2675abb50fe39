"""Accounts: Django's own log-in, log-out and sign-up, in the design of the other pages."""
