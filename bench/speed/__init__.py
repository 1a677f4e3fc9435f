"""Measures how fast variants train and decode, beside what the machine can do."""
