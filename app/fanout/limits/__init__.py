"""How much one client may take."""
