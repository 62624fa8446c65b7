"""Fakes, faults, a virtual clock, card images and conformance suites, for this project and for driver authors."""
