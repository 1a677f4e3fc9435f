"""Examines a finished model of anyone's: runs some passes and steps, watches, gives all back."""
