"""What `make check` has others look for: advisories, traps in code and in nginx' configuration, secrets in the tree."""
