"""The published retrieval systems: what a recipe says, the model that it builds, what it learns from."""
