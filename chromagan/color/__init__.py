"""Colour science: pure tensor functions."""
