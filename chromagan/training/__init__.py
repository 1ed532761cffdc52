"""The adversarial trainer."""
