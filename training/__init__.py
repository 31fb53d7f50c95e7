"""Trains the models that the core runs. It imports the core; the core never imports it."""
