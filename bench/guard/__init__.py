"""Guards speed and quality of the code: exact counts, timings in pairs, and a small matrix."""
