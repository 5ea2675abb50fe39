"""Who is in a group, over the fleet."""
