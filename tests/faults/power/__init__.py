"""Power cuts: what a station does is recorded call by call, and cut off after every one of them."""
