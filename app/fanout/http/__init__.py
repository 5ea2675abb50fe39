"""The groups over plain HTTP, for clients whose WebSocket does not get through: event streams, long polls, POST."""
