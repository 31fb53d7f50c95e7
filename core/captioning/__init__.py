"""Captioners: from an encoder's frames to words, and from words back to the sounds they fit."""
