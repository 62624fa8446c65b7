"""The deciding part: pure functions and values, no input or output, no clock."""
