"""Tuning: cases to rows to an adapter. Refuses to train on rows that leave nothing to learn."""
