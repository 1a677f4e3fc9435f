"""Records what a training script does: calls, modules, optimizers, gradients, in rounds."""
