"""Watch for things being docked and say what was sighted."""
