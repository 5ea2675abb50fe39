"""One folder a demo: one policy, one consumer, one page each; templates to copy."""
