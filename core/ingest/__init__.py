"""From folders on disk to a filled catalogue: scan, decode, embed, store."""
