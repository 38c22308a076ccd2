"""What became of a served project, from what its store keeps; importing it loads nothing heavy."""
