"""What the training of captioners needs of its own: scenes, relations between sounds, feature files."""
