"""Writes runs and tables for other programs: files, and experiment trackers."""
