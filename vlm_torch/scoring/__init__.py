"""Answers and their likelihoods."""
