"""Documents: a text that many write at once, over any replicas, and that no restart loses.

Each change is a Yjs update, published to the durable group `document.<name>`; browsers merge them in whatever order
they come, and all end with the same text. The stream keeps the newest changes; a snapshot in the database holds all of
them up to a position. Who comes takes the snapshot, from any replica, and joins behind its position: nothing falls
between.

Snapshots are written by a worker (`compaction.compact`), and by the replicas themselves where no worker keeps up: a
change is taken only while the stream has room for it behind the snapshot, so nothing is trimmed before it is saved.
"""
