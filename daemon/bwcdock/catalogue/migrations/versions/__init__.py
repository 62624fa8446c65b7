"""The forms a catalogue's tables had, one after the other."""
