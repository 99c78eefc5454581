"""A visitor who leaves costs nothing after half a second of computing."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from playground.datasets import densities
from playground.families.gan.lab import PRESETS
from playground.runtime import checkpoint
from playground.tabs.gan import lab_pictures
from playground.web import lab_sessions

LIMIT = 60  # seconds of waiting for anything, since a busy machine is slow
STEP, MAX_STEPS = 0.05, 10  # seconds that an evaluation takes at least, and how many of them half a second has
CALL = "gradio_api/call/v2/sample_ddpm"


@pytest.fixture
def http(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=LIMIT) as client:
        yield client


@pytest.fixture
def evaluations() -> Iterator[list[float]]:
    """The times at which a denoising network is evaluated, slowly."""
    times = list[float]()

    def wait(*_: object) -> None:
        times.append(time.monotonic())
        time.sleep(STEP)

    names = ("ddpm-digits", "text-to-image-emoji")
    models: list[Any] = [checkpoint.load_shared(checkpoint.WEIGHTS / f"{name}.safetensors") for name in names]
    hooks = [model.net.register_forward_pre_hook(wait) for model in models]
    yield times
    for hook in hooks:
        hook.remove()


def begin(http: httpx.Client, tab: str, button: str, changes: dict[str, object]) -> str:
    """Press a button of a tab, with changes of controls by their labels; return the address of what comes."""
    config = http.get("config", params={"page": tab}).json()
    components = {component["id"]: component["props"] for component in config["components"]}
    pressed = next(key for key, props in components.items() if props.get("elem_id") == button)
    event = next(row for row in config["dependencies"] if row["backend_fn"] and [pressed, "click"] in row["targets"])
    inputs = [components[key] for key in event["inputs"]]
    values = [changes.get(row.get("label"), row.get("value")) for row in inputs]
    body = {"fn_index": event["id"], "data": values, "session_hash": button, "trigger_id": pressed}
    http.post("gradio_api/queue/join", json=body).raise_for_status()
    return f"gradio_api/queue/data?session_hash={button}"


def begin_run(http: httpx.Client) -> str:
    return begin(http, "ddpm", "ddpm-sample", {"Steps": 1000, "Pictures": 1})


def begin_grid(http: httpx.Client) -> str:
    return begin(http, "latent_diffusion", "text-grid-sample", {"Guidance against": "steps"})


def begin_call(http: httpx.Client) -> str:
    return f"{CALL}/{http.post(CALL, json={'n': 1, 'steps': 100}).json()['event_id']}"


@pytest.mark.parametrize("begin_job", [begin_run, begin_grid, begin_call])
def test_a_job_ends_when_its_visitor_leaves(
    http: httpx.Client, evaluations: list[float], begin_job: Callable[[httpx.Client], str]
) -> None:
    with http.stream("GET", begin_job(http)) as stream:
        for _ in stream.iter_lines():
            if len(evaluations) > 3:
                break
    n, deadline = len(evaluations), time.monotonic() + LIMIT
    while http.get("gradio_api/health").json()["running"]:
        assert time.monotonic() < deadline, "it goes on"
        time.sleep(0.02)
    assert len(evaluations) - n <= MAX_STEPS


def test_a_lab_takes_no_step_that_its_page_does_not_ask_for() -> None:
    begun = lab_pictures.start_lab(densities.ring(), next(iter(PRESETS.values())).settings)
    start = time.thread_time()
    frame = lab_sessions.train({"lab": begun["lab"], "action": "play"})
    assert frame["step"] > 0
    assert time.thread_time() - start < MAX_STEPS * STEP
    time.sleep(0.2)
    assert lab_sessions.train({"lab": begun["lab"], "action": "show"})["step"] == frame["step"]
