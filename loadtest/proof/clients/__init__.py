"""What is connected: one client after its habits, on the one reader of its process."""
