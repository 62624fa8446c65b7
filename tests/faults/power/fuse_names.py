"""Words that the recording file system and the program under test share; the latter needs no FUSE for them."""

MARK = "user.bwcdock.said"
"""An attribute of the root that is no attribute: setting it puts what was told to somebody into the recording."""

FAIL = "user.bwcdock.fail"
"""Another: the sync that comes that many syncs later fails, once."""
