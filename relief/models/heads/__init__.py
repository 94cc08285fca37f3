"""Heads that turn tokens of a frozen body into features for clustering, and how they learn."""
