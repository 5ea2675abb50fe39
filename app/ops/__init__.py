"""What operators ask a replica: is it alive, is it ready, who is it."""
