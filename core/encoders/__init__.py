"""Audio encoders, the text tower and the dual encoder that joins them.

`protocol`, `card`, `windows`, `relevance` and `load` do without torch; the other modules need it.
"""
