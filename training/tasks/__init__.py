"""What can be trained: one task a file (see `training.loop.Task`)."""
