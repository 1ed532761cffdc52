"""The service: a photo comes by HTTP, and goes back in colour."""
