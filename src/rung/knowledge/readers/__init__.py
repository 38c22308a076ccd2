"""One file for each format: `read(raw) -> Reading`. They refuse to guess a format from its content."""
