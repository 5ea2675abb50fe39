"""The result as people read it: one HTML file, plain text, a line meanwhile."""
