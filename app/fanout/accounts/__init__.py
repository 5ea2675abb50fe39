"""Who is behind a connection, and what ends it: sessions, tickets, rights."""
