"""Measuring models and folders."""
