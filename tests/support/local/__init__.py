"""Bare clients of the local servers, and replays of captured exchanges."""
