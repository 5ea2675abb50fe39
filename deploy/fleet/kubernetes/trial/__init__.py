"""`make test-k8s`: everything that happens to a fleet in a cluster, done to one, under the proof."""
