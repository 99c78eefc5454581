"""Data sets: MNIST, Fashion-MNIST, shapes, emoji with captions, a folder of images, and densities in the plane.

A data set of images is one file with a `DATASET`, found by `playground.datasets.registry`.
"""
