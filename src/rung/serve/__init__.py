"""What other programs reach over HTTP; importing it loads nothing heavy."""
