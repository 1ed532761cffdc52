"""Weights files: what they hold, where they are, how they load."""
