"""Sound files: decoding, down-mix, resampling, level, metadata and the names of the Universal Category System."""
