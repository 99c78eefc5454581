"""Generative models you can see at work, and read."""
