"""The native fleet: Redis, replicas and nginx as plain processes on one host, behind `make`."""
