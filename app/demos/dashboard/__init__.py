"""The dashboard: this fleet's own numbers at 10 Hz, and any numbers that are published to a board.

A board is an ephemeral group, latest value: a viewer costs the deliveries that it gets and nothing else. Each replica
publishes its own numbers to `dashboard.fleet`, and only while somebody in the fleet looks at them
(`fanout/viewers.py`).
"""
