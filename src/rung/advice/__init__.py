"""Advice without data: what a team says of its problem, the rules that speak to it, and the ladder in the order they give."""
