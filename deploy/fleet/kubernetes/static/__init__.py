"""What `make check` asks of k8s/ without a cluster: each module yields a sentence for each thing that is wrong."""
