"""Data sets: each file loads or draws one."""
