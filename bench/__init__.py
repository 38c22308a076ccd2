"""Benchmarks against the best peers, run by hand: `python -m bench NAME [--small]`. They are no part of the package."""
