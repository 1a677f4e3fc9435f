"""Looks at runs while another process does them: how far they are, and what a tracker is told."""
