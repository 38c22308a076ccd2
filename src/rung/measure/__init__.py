"""Answers to numbers, and numbers to a decision that carries its uncertainty; no model is asked anything it has answered."""
