"""The benchmark: what this stack costs, beside stock Channels, in one run on one machine."""
