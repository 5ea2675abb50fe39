"""The two applications that are measured: the shipped one with kinds for the benchmark, and the tutorial's."""
