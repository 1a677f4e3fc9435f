"""Judges what an examination measured: rules, findings and their cures."""
