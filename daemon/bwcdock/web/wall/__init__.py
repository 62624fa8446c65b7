"""The slot wall: looks at the station, draws what changed once a language, and sends it to every screen."""
