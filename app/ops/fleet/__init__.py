"""The fleet's page for staff, `/ops/`: what each replica says of itself once a second, while somebody looks.

A row is a publication to the ephemeral group `ops.fleet`, the latest of each replica. What only two rows in a row tell,
such as that a process is another one now, the page finds out; what happened before it was opened each replica remembers
(`journal.py`).
"""
