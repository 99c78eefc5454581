"""The batches of a run: permutations of the data, accumulated, and moved to the device one by one."""

import itertools
from dataclasses import replace

import pytest
import torch
from tiny_run import IMAGES, LABELS, logged, steps, take

from playground.families import ddpm
from playground.runtime.rng import make_rng
from train import ddpm as recipe
from train.batches import batch_indices, epoch_order
from train.fit import fit
from train.run import Run


@pytest.mark.parametrize(("n", "batch_size"), [(40, 8), (43, 8), (8, 8), (10, 1)])
def test_an_epoch_is_a_permutation_and_the_next_another(n, batch_size):
    per_epoch = n // batch_size
    epochs = [
        torch.cat([batch_indices(n, batch_size, step, seed=3) for step in range(start, start + per_epoch)]).tolist()
        for start in (0, per_epoch, 2 * per_epoch)
    ]
    for epoch in epochs:
        assert len(set(epoch)) == len(epoch) == per_epoch * batch_size
        assert set(epoch) <= set(range(n))
    assert epochs[0] != epochs[1] != epochs[2]
    assert batch_indices(n, batch_size, 0, seed=4).tolist() != epochs[0][:batch_size] or batch_size == 1


def test_the_permutation_is_made_once_an_epoch_and_is_that_of_its_seed(monkeypatch):
    epochs = [torch.randperm(40, generator=make_rng(3, epoch)) for epoch in (0, 1)]
    counted, randperm = [], torch.randperm
    monkeypatch.setattr(torch, "randperm", lambda *args, **kwargs: counted.append(args) or randperm(*args, **kwargs))
    epoch_order.cache_clear()
    batches = [batch_indices(40, 8, step, seed=3) for step in range(10)]
    assert len(counted) == 2
    assert torch.equal(torch.cat(batches), torch.cat(epochs))
    batch_indices(40, 8, 0, seed=4)
    assert torch.equal(batch_indices(40, 8, 0, seed=3), batches[0])


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_out_the_batch(processes):
    batch = batch_indices(40, 8, 7, seed=0).tolist()
    parts = [batch_indices(40, 8, 7, 0, process, processes).tolist() for process in range(processes)]
    assert sorted(itertools.chain(*parts)) == sorted(batch)


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(ValueError, match="a batch of 41 is more than the 40 items there are"):
        batch_indices(40, 41, 0, 0)


# --- batches that accumulate, and held-out data ----------------------------------------------------


def gradients_without_noise(options: recipe.Recipe) -> list[torch.Tensor]:
    """The gradient of each step of a run whose loss is without chance, with all weights in a row."""
    torch.manual_seed(0)
    run, gradients = Run(options, lambda: ddpm.Model(options.config)), []
    weights = list(run.model.parameters())
    run.optimizers["loss"].optimizer.register_step_pre_hook(
        lambda *_: gradients.append(torch.cat([weight.grad.flatten() for weight in weights]))
    )
    for step in fit(run):
        x, index = *step.batch(IMAGES), step.indices(len(IMAGES))
        step.minimize((run.model(x, 100 + index, LABELS[index]) - x).square().mean())
    return gradients


@pytest.mark.parametrize("clip_norm", [0.1, 1e6])
def test_accumulated_batches_have_the_gradient_of_one_as_large_as_all(tiny, tmp_path, clip_norm):
    whole = replace(tiny, steps=4, batch_size=20, clip_norm=clip_norm)
    parts = replace(whole, batch_size=5, accumulate=4, out=tmp_path / "other", runs=tmp_path / "runs-of-other")
    expected, gradients = gradients_without_noise(whole), gradients_without_noise(parts)
    assert len(gradients) == len(expected) == 4, "a step after four batches"
    for gradient, whole_gradient in zip(gradients, expected, strict=True):
        assert (gradient - whole_gradient).norm() < 1e-3 * whole_gradient.norm()
    assert [row["step"] for row in logged(parts)] == [1, 2, 3, 4]
    for name in ("lr", "loss_gradient"):
        assert [row[name] for row in logged(parts)] == pytest.approx([row[name] for row in logged(whole)], rel=1e-3)


def test_the_batches_of_a_step_follow_each_other_through_the_data(tiny):
    batches = []
    for step in steps(replace(tiny, accumulate=2, batch_size=4)):
        batches.append((step.index, step.batch_index, step.indices(len(IMAGES)).tolist()))
        take(step, tiny)
    assert [batch[:2] for batch in batches] == [(i // 2, i) for i in range(24)]
    assert sorted(itertools.chain(*(items for *_, items in batches[:10]))) == list(range(40))


def test_only_a_batch_of_the_data_moves_to_the_device(tiny):
    """Data need not fit into its memory, nor be a tensor: they have a length and give items by their indices."""

    class Data:
        def __init__(self, items: torch.Tensor):
            self.items, self.sizes = items, list[int]()

        def __len__(self) -> int:
            return len(self.items)

        def __getitem__(self, index: torch.Tensor) -> torch.Tensor:
            self.sizes.append(len(index))
            return self.items[index]

    images, labels = Data(IMAGES), Data(LABELS)
    for step in steps(tiny):
        x, y = step.batch(images, labels)
        index = step.indices(len(IMAGES))
        assert torch.equal(x, IMAGES[index])
        assert torch.equal(y, LABELS[index])
        step.minimize(ddpm.loss(step.run.model, x, y, step.rng))
    assert images.sizes == labels.sizes == [tiny.batch_size] * tiny.steps
