"""Approaches: a prompt, a source and a model. Refuses to know what a right answer is."""
