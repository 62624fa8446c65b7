"""Packages to hand over: originals with their proofs and papers, and a program that verifies them."""
