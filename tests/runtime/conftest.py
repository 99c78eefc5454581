"""Fixtures of a small checkpoint."""

from pathlib import Path

import pytest
import torch
from checkpoint_edits import PROVENANCE, TINY

from playground.families import ddpm
from playground.runtime import checkpoint


@pytest.fixture
def model() -> ddpm.Model:
    torch.manual_seed(0)
    return ddpm.Model(TINY)


@pytest.fixture
def path(tmp_path, model) -> Path:
    checkpoint.save(tmp_path / "new" / "ddpm-tiny.safetensors", model, PROVENANCE)
    return tmp_path / "new" / "ddpm-tiny.safetensors"
