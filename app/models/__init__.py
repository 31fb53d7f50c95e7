"""Item models over ids: what the views show."""
