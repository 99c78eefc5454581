"""Recipes: one file a family; `python -m train NAME` runs one, its defaults being the shipped experiment."""
