"""One file a family of models; each holds `Config`, `Model`, its losses, `Settings` and `sample`."""
