"""From a question to sounds: queries, filters, ranking and reasons."""
