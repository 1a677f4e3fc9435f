"""Guarding speed and quality of the code: exact counts, timings in pairs, a small matrix."""
