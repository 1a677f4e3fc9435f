"""Examines a trained model from inside, and plants faults for the doctor to find."""
