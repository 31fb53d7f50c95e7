"""The window: everything Qt. It is built on `core` and on nothing else."""
