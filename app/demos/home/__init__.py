"""The front page: what the stack is, a live picture of the replicas, and the way to the demos."""
