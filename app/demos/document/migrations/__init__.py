"""Steps of the table of snapshots."""
