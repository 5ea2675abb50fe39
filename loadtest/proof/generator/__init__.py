"""The processes that hold the clients, and the run that they make together."""
