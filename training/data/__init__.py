"""Clips, texts and what is kept of them between runs."""
