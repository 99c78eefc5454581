"""One file a family of models. Its contract, with no base class:

- `Config`: a frozen dataclass that JSON can hold; `Model(config)` rebuilds the network, with `model.config`.
- its losses, plain functions.
- `Settings`: a frozen dataclass of what a user may ask, `n` and `seed` among it; `UserError` refuses the rest.
- `sample(model, settings, first=0)`: a generator of frames, whose last one's `x` is the pictures
  first ... first + n - 1, uint8 only at the edges.
- `labels(model, settings, first=0)`, where the family can be conditional: the classes of those pictures, or None.

A family that makes no pictures by itself (the judge, the autoencoder, CLIP, the score in the plane) has neither
`Settings` nor `sample`.
"""
