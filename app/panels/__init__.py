"""The regions of the window and its dialogs."""
