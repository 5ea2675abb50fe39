"""The proof of horizontal broadcast: what is published on any replica reaches every replica, message by message."""
