"""The learning rate over a run: its warm-up, its cycles and its decay."""

from dataclasses import replace

import pytest

from train import autoencoder, clip, gan, judge, latent_diffusion, normalizing_flow, score_matching, vae
from train import ddpm as recipe
from train.schedule import lr_factor

FAMILIES = (autoencoder, clip, recipe, normalizing_flow, gan, judge, score_matching, latent_diffusion, vae)
RECIPES = [options for family in FAMILIES for options in family.RECIPES]


# --- the rate and the batches ---------------------------------------------------------------------


def test_the_rate_rises_stays_and_falls_to_zero(tiny):
    options = replace(tiny, steps=100, warmup=10, decay=0.2)
    rates = [lr_factor(step, options) for step in range(101)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10:81] == [1.0] * 71
    assert rates[81:] == pytest.approx([(100 - step) / 20 for step in range(81, 101)])


def test_each_cycle_takes_the_rate_through_the_same_course(tiny):
    one = replace(tiny, steps=50, warmup=5, decay=0.2)
    two = replace(one, steps=100, cycles=2)
    course = [lr_factor(step, one) for step in range(50)]
    assert [lr_factor(step, two) for step in range(100)] == 2 * course


@pytest.mark.parametrize("cycles", [1, 2, 8])
def test_a_run_too_short_for_its_cycles_has_fewer_and_reaches_the_whole_rate(tiny, cycles):
    options = replace(tiny, steps=80, warmup=500, decay=0.5, cycles=cycles)
    rates = [lr_factor(step, options) for step in range(80)]
    assert rates[:11] == pytest.approx([*((step + 1) / 10 for step in range(10)), 1])
    assert rates[40:] == pytest.approx([(80 - step) / 40 for step in range(40, 80)])


@pytest.mark.parametrize("options", RECIPES, ids=lambda options: options.name)
def test_the_shipped_recipes_have_all_their_cycles_and_the_whole_warm_up(options):
    length = options.steps // options.cycles
    for cycle in range(options.cycles):
        start = cycle * length
        assert lr_factor(start, options) == pytest.approx(1 / max(options.warmup, 1))
        assert lr_factor(start + options.warmup, options) == 1
        assert lr_factor(start + length - 1, options) < 0.01


@pytest.mark.parametrize(("warmup", "decay"), [(0, 0.0), (1, 0.0), (0, 1.0)])
def test_no_warm_up_and_no_decay_are_fine(tiny, warmup, decay):
    options = replace(tiny, steps=10, warmup=warmup, decay=decay)
    assert [lr_factor(step, options) for step in range(10)] == pytest.approx(
        [1 - step / 10 if decay else 1 for step in range(10)]
    )
