"""Places of central storage."""
