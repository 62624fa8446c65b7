"""The one program that writes to a card: it erases permitted files of one docked recorder, as root, for one request."""
