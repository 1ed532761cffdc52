"""Colorizers compared with the truth: one engine for folders, models and networks in training."""
