"""What only the process at work sees: how long steps take, how late the loop runs; counted for whoever asks."""
