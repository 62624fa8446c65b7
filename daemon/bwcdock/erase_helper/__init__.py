"""The one program that writes to a card: it erases permitted files of one docked recorder, or puts a file there by
which it sets its clock, as root, for one request.
"""
