"""Every option of every recipe has a test that fails if it does not reach what it is for."""

import re
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

from playground.runtime.family import family_names
from train.options import DatasetOptions, ImageOptions, Options, SceneOptions

WEIGHTS = "test_wiring.py::test_an_option_changes_the_weights"
DATA = "test_recipe_wiring.py::test_a_recipe_reads_the_data_of_its_name_in_its_folder"
CHECKPOINT = "test_fit.py::test_a_run_leaves_a_checkpoint_that_tells_how_it_was_made"
RESUMED = "test_resume.py::test_a_killed_run_resumes_to_the_very_same_weights"
TESTS = {
    Options: {
        **dict.fromkeys(("batch_size", "lr", "warmup", "decay", "optimizer", "betas", "weight_decay",
                         "clip_norm", "ema", "seed"), WEIGHTS),
        **dict.fromkeys(("name", "out", "runs"), CHECKPOINT),
        "accumulate": "test_batches.py::test_accumulated_batches_have_the_gradient_of_one_as_large_as_all",
        "steps": "test_fit.py::test_the_log_has_a_row_a_step",
        "cycles": "test_schedule.py::test_each_cycle_takes_the_rate_through_the_same_course",
        "precision": "test_wiring.py::test_a_network_computes_in_the_precision_of_the_option",
        "compile": "test_wiring.py::test_a_network_is_compiled_if_that_is_asked_for",
        "minutes": "test_learning_rate.py::test_a_run_ends_on_time_whatever_the_speed_and_says_its_steps",
        "pause_after": "test_resume.py::test_pause_after_stops_a_run_and_the_same_command_continues_it",
        "start": "test_resume.py::test_a_run_whose_state_is_lost_goes_on_from_its_checkpoint",
        "data": DATA,
        "save_every": RESUMED,
        "picture_every": "test_fit.py::test_pictures_are_drawn_now_and_then",
        "log_every": "test_fit.py::test_the_loss_on_held_out_data_is_that_of_the_average_with_the_same_noise",
        "tracker": "test_fit.py::test_a_tracker_that_is_not_installed_is_named",
    },
    DatasetOptions: {"dataset": DATA},
    ImageOptions: {"data_folder": "test_training_data.py::test_a_vae_trains_on_a_folder_of_images"},
    SceneOptions: {"core": "test_recipe_wiring.py::test_a_recipe_of_scenes_draws_the_emoji_that_are_asked_for"},
    "autoencoder": {
        **dict.fromkeys(
            ("config", "kl_weight"),
            "test_recipe_wiring.py::test_the_weight_of_the_divergence_reaches_the_autoencoders_loss",
        ),
    },
    "clip": {
        "config": "test_recipe_wiring.py::test_clips_logit_scale_stays_below_its_limit",
        "of_two": "test_recipe_wiring.py::test_clip_sees_as_many_scenes_of_two_as_asked",
    },
    "ddpm": {"config": CHECKPOINT, "class_dropout": "test_wiring.py::test_the_recipe_drops_as_many_classes_as_asked"},
    "gan": {
        **dict.fromkeys(
            ("config", "objective"), "test_wiring.py::test_the_losses_of_a_gan_get_objective_and_growth_stage"
        ),
        "stacked": "test_recipe_wiring.py::test_stacked_digits_have_three_at_random",
        "judge": "test_gan_recipe.py::test_a_history_is_judged_by_the_judge_that_is_named",
    },
    "judge": {"config": "../families/test_judge.py::test_the_recipe_learns_and_notes_what_it_read_right"},
    "latent_diffusion": {
        **dict.fromkeys(
            ("scenes", "of_two"),
            "test_recipe_wiring.py::test_text_to_image_learns_from_as_many_scenes_of_two_as_asked",
        ),
        **dict.fromkeys(
            ("config", "parts"), "test_latent_diffusion_recipe.py::test_a_training_leaves_a_model_that_finds_its_parts"
        ),
        "dropout": "test_latent_diffusion_recipe.py::test_the_dropout_of_the_recipe_reaches_the_loss",
        **dict.fromkeys(
            ("clip", "clip_weights"),
            "test_latent_diffusion_recipe.py::test_a_pretrained_encoder_takes_the_place_of_ours",
        ),
    },
    "normalizing_flow": dict.fromkeys(
        ("config", "narrower"), "test_recipe_wiring.py::test_a_flow_starts_from_the_narrower_one"
    ),
    "score_matching": dict.fromkeys(
        ("config", "objective"), "test_recipe_wiring.py::test_a_score_is_learned_at_the_noise_levels_of_its_config"
    ),
    "vae": dict.fromkeys(
        ("config", "objective", "binarize"),
        "test_recipe_wiring.py::test_a_vae_learns_binary_images_and_its_loss_knows_the_step",
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", family_names())
def test_every_option_of_a_recipe_has_a_test(family: str) -> None:
    recipe = import_module(f"train.{family}").Recipe
    tests = TESTS[family] | {name: test for kind in recipe.__mro__ for name, test in TESTS.get(kind, {}).items()}
    assert tests.keys() == {field.name for field in fields(recipe)}
    for test in {*tests.values()}:
        file, _, function = test.partition("::")
        assert re.search(rf"^def {function}\(", (Path(__file__).parent / file).read_text(), re.MULTILINE), test
