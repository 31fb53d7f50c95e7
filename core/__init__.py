"""Earshot without a screen: find sounds in a library by describing them or by giving an example."""
