"""The archive: a copy in the database of what durable groups say, for when their streams have forgotten it.

A Django app: put `fanout.archive` into INSTALLED_APPS, run `manage.py migrate`, give a policy
`history = History(…, archived=True)` and start `manage.py worker`. Needs Redis. What it guarantees:

- Each publication that was acknowledged has one row within 5 s, whatever dies and comes back meanwhile: the worker,
  Redis, the database. Rows and how far they go are written in one transaction, and what has no row stays in the stream.
- Two workers at once double nothing.
- Only two things lose a row: a Redis that loses what it has acknowledged, and a worker that is away for more than
  `fanout.history.BACKLOG` publications of a group. The second is logged and counted.
"""
