"""An endpoint for each family that samples, with its settings as parameters."""

import dataclasses
from collections.abc import Iterator
from functools import partial

import numpy as np

from playground.api.endpoint import Answer, Endpoint, Facts, NewPath, Parameter, checkpoint_parameter
from playground.api.settings import LIMITS, MAX_EVALUATIONS, settings_parameters
from playground.pipeline import Pipeline, Run
from playground.runtime import checkpoint as checkpoints
from playground.runtime import inference
from playground.runtime.family import Family, family_names, get_family
from playground.runtime.paths import Paths
from playground.runtime.run import Frame, last_frame
from playground.runtime.turns import Place
from playground.runtime.validation import UserError

GRID, ARRAYS, FRAMES, ANIMATION = "grid", "arrays", "frames", "animation"
SUFFIXES = {GRID: ".png", ARRAYS: ".npz", FRAMES: ".npz", ANIMATION: ".gif"}
RESULT_MEANING = (
    "What to return: grid, a PNG of all pictures; arrays, an NPZ of images (N, H, W, C) uint8 with their labels"
)
STEPS_RESULT_MEANING = "; frames, an NPZ that also has the frames (F, N, H, W, C); animation, a GIF of the frames"


def endpoints(paths: Paths, new_path: NewPath) -> dict[str, Endpoint]:
    """Return the endpoint of each family that samples, by the family's name."""
    families = {name: get_family(name) for name in family_names()}
    return {name: endpoint(paths, family, new_path) for name, family in families.items() if family.Settings}


def endpoint(paths: Paths, family: Family, new_path: NewPath) -> Endpoint:
    """Return the endpoint that samples from a family."""
    results = (GRID, ARRAYS, FRAMES, ANIMATION) if family.has_steps else (GRID, ARRAYS)
    meaning = f"{RESULT_MEANING}{STEPS_RESULT_MEANING if family.has_steps else ''}."
    result = Parameter("result", str, GRID, meaning, choices=lambda: results)
    limit = f", at most {LIMITS['n']} at a time"
    if family.has_steps:
        limit += f", of {LIMITS['steps']} steps, and {MAX_EVALUATIONS} of pictures times steps"
    return Endpoint(
        f"sample_{family.name}",
        f"Sample pictures from a checkpoint of the family: {family.title}{limit}.",
        [checkpoint_parameter(paths, family.name), *settings_parameters(family), result],
        partial(sample, paths, family, new_path),
        has_file=True,
    )


def sample(
    paths: Paths, family: Family, new_path: NewPath, checkpoint: str, result: str, **values: object
) -> Iterator[Answer]:
    """Sample pictures, and yield the number of steps so far, or the call's place while it waits for others, and at the
    end the file and what reproduces it.

    Raises:
        UserError: A setting is not valid, the run is too long, or the model cannot be loaded.
    """
    run, facts = prepare_run(paths, family, checkpoint, values)
    steps = run.settings.steps if family.has_steps else 0
    if run.settings.n * steps > MAX_EVALUATIONS:
        raise UserError(f"n times steps must be at most {MAX_EVALUATIONS}, not {run.settings.n * steps}: ask for fewer")
    images, every = list[np.ndarray](), result in (FRAMES, ANIMATION)

    def convert() -> Iterator[tuple[Frame, np.ndarray | None]]:
        for frame in run if family.has_steps else [last_frame(run)]:  # what is no step takes no turn of its own
            yield frame, run.to_images(frame) if every else None

    for item in inference.in_turns(convert(), steps + 1, inference.PATIENCE):
        if isinstance(item, Place):
            yield None, item._asdict()
            continue
        frame, image = item
        if image is not None:
            images.append(image)
        yield None, {"step": frame.step} | ({"steps": steps} if family.has_steps else {})
    out = new_path(f"{checkpoint}{SUFFIXES[result]}")
    array = np.stack(images) if every else inference.compute(run.to_images, frame)
    metadata = run.write(out, array)
    labels = {name: values.tolist() for name, values in run.conditions().items()}
    yield out, {**facts, **labels, "shape": array.shape, "command": metadata["command"]}


def prepare_run(paths: Paths, family: Family, name: str, values: Facts) -> tuple[Run, Facts]:
    """Return the run of a checkpoint with settings of these values, and its checkpoint, its settings, and how its
    prompt was read."""
    assert family.Settings, "only families that sample have an endpoint"
    path, settings = paths.checkpoint(name), family.Settings(**values)
    facts: Facts = {"checkpoint": name}
    if family.read_prompts:
        settings, facts["reading"] = family.read_prompts(settings, checkpoints.read_header(path).provenance)
    run = Run(Pipeline(path, family, checkpoints.load_shared(path, family.name)), settings)
    return run, {**facts, "settings": dataclasses.asdict(run.settings)}
