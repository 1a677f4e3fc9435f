"""Writes to a terminal or a pipe: streams, a line that something goes on, the bar of runs."""
