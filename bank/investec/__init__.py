"""Investec's Private Banking API (South Africa): what it says, and asking it."""
