"""Watches anyone's training script, so that the doctor can say why its model does not learn."""
