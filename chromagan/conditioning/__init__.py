"""What a person gives (guidance) and what a network sees of it (condition): plain data and tensors."""
