"""Measures what the rules of the doctor ask: one module per domain, facts for `results`."""
