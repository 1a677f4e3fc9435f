"""Schedules over training steps: the rate of teacher forcing, and the learning rate."""
