"""What every family of models must do, whatever it is: build, learn, save, load, and sample the same for the same seed.

A family is found by its file in playground/families. Its own test file, tests/families/test_<family>.py, brings what is
needed to try it in a second:

    TINY = family.Config(...)               the smallest model
    def tiny_loss(model, generator)         its loss on one fixed batch
    TINY_SETTINGS = {"steps": 4}            for families that sample, what to ask of `Settings` besides n and seed
    CHANGES = {"steps": 5}                  another value of each setting, which must make other pictures
    UNUSED = {"label"}                      the settings that do not matter to TINY
    def build(config)                       the model, where `Model(config)` is not all of it
"""

import dataclasses
import importlib
import json
from typing import Any, NamedTuple

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from playground.runtime import checkpoint, inference, pictures
from playground.runtime.family import Family, family_names, get_family
from playground.runtime.rng import make_rng
from playground.runtime.run import last_frame
from playground.runtime.validation import NotFiniteError

FAMILIES = family_names()
SAMPLING = [name for name in FAMILIES if get_family(name).sample]


class Case(NamedTuple):
    module: Family
    tests: Any
    model: nn.Module

    def loss(self, model: nn.Module) -> Tensor:
        return self.tests.tiny_loss(model, make_rng(0))

    def sample(self, model: nn.Module, n: int, seed: int, first: int = 0, **changes: object) -> Tensor:
        settings: dict[str, Any] = getattr(self.tests, "TINY_SETTINGS", {}) | changes
        run = self.module.sample(model, self.module.Settings(n=n, seed=seed, **settings), first)
        return self.module.to_images(model, last_frame(run))


@pytest.fixture(params=FAMILIES)
def family(request) -> Case:
    module = get_family(request.param)
    tests = importlib.import_module(f"test_{request.param}")
    missing = [name for name in ("TINY", "tiny_loss") if not hasattr(tests, name)]
    path = f"tests/families/test_{request.param}.py"
    assert not missing, f"{path} must define {' and '.join(missing)}: see tests/families/test_contract.py"
    torch.manual_seed(0)
    return Case(module, tests, getattr(tests, "build", module.Model)(tests.TINY))


@pytest.fixture
def sampled(family) -> Case:
    """A family that samples, its model moved off its start, where many a network gives only zeros."""
    with torch.no_grad():
        for parameter in family.model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    family.model.eval()
    return family


def test_families_are_found_by_their_files():
    assert "ddpm" in FAMILIES


def test_the_config_is_frozen_and_survives_json(family):
    config = family.tests.TINY
    assert isinstance(config, family.module.Config)
    assert family.module.Config(**json.loads(json.dumps(dataclasses.asdict(config)))) == config
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, dataclasses.fields(config)[0].name, 1)


def test_the_default_config_builds_a_model(family):
    with torch.device("meta"):
        assert list(family.module.Model(family.module.Config()).parameters())


def test_a_shipped_config_builds_a_model_with_the_tensors_of_its_file(family):
    for path in checkpoint.find():
        header = checkpoint.read_header(path)
        if header.family == family.module.name:
            with torch.device("meta"), safe_open(path, framework="pt") as file:
                model = family.module.Model(family.module.Config(**header.config))
                shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
            assert {name: list(tensor.shape) for name, tensor in model.state_dict().items()} == shapes, path


def test_the_loss_falls_on_one_batch(family):
    optimizer = torch.optim.Adam(family.model.parameters(), lr=3e-3)
    before = family.loss(family.model).item()
    for _ in range(40):
        optimizer.zero_grad()
        family.loss(family.model).backward()
        optimizer.step()
    assert family.loss(family.model).item() < 0.8 * before


def test_a_saved_model_comes_back_up_to_half_precision(family, tmp_path):
    for parameter in family.model.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    path = tmp_path / "tiny.safetensors"
    checkpoint.save(path, family.model, {"seed": 3})
    loaded = checkpoint.load(path)
    getattr(family.tests, "complete", lambda model: None)(loaded)
    assert loaded.config == family.tests.TINY
    assert not loaded.training
    for name, tensor in family.model.state_dict().items():
        kept = tensor.half().to(tensor.dtype) if tensor.dim() > 1 else tensor
        torch.testing.assert_close(loaded.state_dict()[name], kept, rtol=0, atol=0)
    family.model.eval()
    torch.testing.assert_close(family.loss(loaded), family.loss(family.model).detach(), rtol=1e-2, atol=1e-3)
    if family.module.sample:
        torch.testing.assert_close(family.sample(loaded, 2, 0), family.sample(family.model, 2, 0), rtol=0, atol=0.05)


@pytest.mark.parametrize("family", SAMPLING, indirect=True)
def test_the_same_seed_makes_the_same_pictures_and_another_others(sampled):
    pictures = sampled.sample(sampled.model, 3, seed=1)
    assert len(pictures) == 3
    assert pictures.isfinite().all()
    torch.rand(5)  # nor does it matter who else draws
    torch.testing.assert_close(sampled.sample(sampled.model, 3, seed=1), pictures, rtol=0, atol=0)
    assert not torch.allclose(sampled.sample(sampled.model, 3, seed=2), pictures, atol=0.01)
    assert not torch.allclose(pictures[0], pictures[1], atol=0.01)


@pytest.mark.parametrize("family", SAMPLING, indirect=True)
def test_every_setting_makes_other_pictures(sampled):
    changes, unused = (getattr(sampled.tests, name, {}) for name in ("CHANGES", "UNUSED"))
    fields = {field.name for field in dataclasses.fields(sampled.module.Settings)}
    assert fields == {"n", "seed", *changes, *unused}
    pictures = sampled.sample(sampled.model, 1, seed=1)
    for name, value in changes.items():
        changed = sampled.sample(sampled.model, 1, seed=1, **{name: value})
        assert not torch.allclose(changed, pictures, atol=1e-3), name


@pytest.mark.parametrize("family", SAMPLING, indirect=True)
def test_pictures_of_bfloat16_are_almost_those_of_single_precision(sampled, monkeypatch):
    pictures = sampled.sample(sampled.model, inference.SMALL_BATCH, seed=1)
    monkeypatch.setattr(inference, "bfloat16_is_faster", lambda: True)
    fast = sampled.sample(sampled.model, inference.SMALL_BATCH, seed=1)
    assert fast.dtype == torch.float32
    assert (fast - pictures).abs().mean() < 0.05, "but for a pixel that tips over in the untrained network"


@pytest.mark.parametrize("family", SAMPLING, indirect=True)
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_run_that_is_not_finite_makes_no_pictures(family, number):
    with torch.no_grad():
        for parameter in family.model.parameters():
            parameter.fill_(number)
    family.model.eval()
    with pytest.raises(NotFiniteError, match="not finite"):
        pictures.to_uint8(family.sample(family.model, 2, seed=0))


@pytest.mark.parametrize("family", SAMPLING, indirect=True)
def test_picture_i_of_a_batch_is_the_picture_made_alone(sampled):
    pictures = sampled.sample(sampled.model, 3, seed=1)
    for i in range(3):
        torch.testing.assert_close(
            sampled.sample(sampled.model, 1, seed=1, first=i), pictures[i : i + 1], rtol=0, atol=1e-3
        )
