"""What a user meets when searching with a model: short questions, exclusions, moments, examples."""
