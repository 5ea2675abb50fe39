"""The fleet in a cluster: what `make` does beside `kubectl`. `k8s/` alone says what runs."""
