"""One file per act: dock, pull, seal, push, look, release."""
