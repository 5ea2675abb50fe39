"""Durable groups in this process: in order, without gaps, resumed behind any position."""
