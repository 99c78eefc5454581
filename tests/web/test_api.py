"""The API: every job by named parameters, errors as one sentence with a status, and nothing else of the server."""

import json
import random
from concurrent.futures import ThreadPoolExecutor, wait
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

import playground
from playground.datasets import mnist
from playground.export.read import read_metadata
from playground.runtime import checkpoint, pictures
from playground.tabs import discover

SAMPLERS = ("sample_vae", "sample_gan", "sample_ddpm", "sample_normalizing_flow", "sample_latent_diffusion")
ENDPOINTS = {"list_checkpoints", *SAMPLERS, "read_prompt", "reconstruct", "classify", "likelihood"}


@pytest.fixture(scope="module")
def client(address: str) -> Client:
    return Client(address, verbose=False, analytics_enabled=False)


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first test digit, a seven, as black ink on white paper."""
    x = mnist.DATASET.load_test_image(tmp_path_factory.mktemp("data"), 0)
    path = tmp_path_factory.mktemp("picture") / "seven.png"
    pictures.to_pil(pictures.magnify(pictures.to_uint8(-x)[0])).save(path)
    return path


def post(address: str, name: str, body: Any, version: str = "v2/") -> httpx.Response:
    content = body if isinstance(body, (bytes, str)) else json.dumps(body)
    headers = {"content-type": "application/json"}
    return httpx.post(f"{address}gradio_api/call/{version}{name}", content=content, headers=headers, timeout=120)


def fetch(address: str, name: str, event_id: str) -> tuple[str, Any]:
    """Return the last event of a call, and its data."""
    stream = httpx.get(f"{address}gradio_api/call/{name}/{event_id}", timeout=120).text
    event, data = stream.strip().splitlines()[-2:]
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def call(address: str, name: str, **values: Any) -> Any:
    event, data = fetch(address, name, post(address, name, values).json()["event_id"])
    assert event == "complete", data
    return data


def test_only_the_endpoints_are_public(address: str) -> None:
    info = httpx.get(f"{address}gradio_api/info").json()["named_endpoints"]
    assert {name.strip("/") for name in info} == ENDPOINTS


def test_every_parameter_has_a_name_a_type_a_default_and_bounds(address: str) -> None:
    info = httpx.get(f"{address}gradio_api/info").json()["named_endpoints"]["/sample_ddpm"]
    parameters = {each["parameter_name"]: each for each in info["parameters"]}
    n, sampler, label = (parameters[name] for name in ("n", "sampler", "label"))
    assert (n["type"], n["parameter_default"]) == ({"type": "integer", "minimum": 1, "maximum": 64}, 10)
    assert "dpm-solver++" in sampler["type"]["enum"]
    assert (label["parameter_has_default"], label["parameter_default"]) == (True, None)
    assert parameters["checkpoint"]["parameter_default"] == "ddpm-digits"
    assert all(not name.startswith("param_") for name in parameters)
    assert "at most 64 at a time" in info["description"]


def test_the_checkpoints_are_listed_with_the_settings_of_their_families(client: Client) -> None:
    listing = client.predict(api_name="/list_checkpoints")
    by_name = {each["name"]: each for each in listing["checkpoints"]}
    assert set(by_name) == set(checkpoint.list_checkpoints().headers)
    assert by_name["flow-digits"]["endpoint"] == "sample_normalizing_flow"
    assert by_name["judge-digits"]["endpoint"] is None
    eta = listing["settings"]["sample_ddpm"]["eta"]
    assert (eta["type"], eta["minimum"], eta["maximum"], eta["default"]) == ("number", 0, 1, 0)
    assert eta["description"] == "DDIM's stochasticity: 0 is deterministic, 1 has the variance of DDPM."


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_family_samples_a_grid(client: Client, name: str) -> None:
    settings = {"steps": 2} if name in ("sample_ddpm", "sample_latent_diffusion") else {}
    file, about = client.predict(n=2, seed=3, api_name=f"/{name}", **settings)
    picture, run = Image.open(file), playground.load(about["checkpoint"]).sample(n=2, seed=3, **settings)
    expected = pictures.magnify(pictures.make_grid(run.images())).squeeze()
    assert np.abs(np.asarray(picture, int) - expected).max() <= 2, "but for rounding, as from Python"
    assert about["shape"] == list(run.images().shape)
    assert about["command"] == picture.text["command"]


def test_frames_and_arrays_come_as_npz(client: Client) -> None:
    file, _ = client.predict(n=2, label=7, steps=3, result="frames", api_name="/sample_ddpm")
    run = playground.load("ddpm-digits").sample(n=2, label=7, steps=3)
    with np.load(file) as arrays:
        frames = np.stack([run.to_images(frame) for frame in run])
        assert np.array_equal(arrays["frames"], frames)
        assert np.array_equal(arrays["images"], frames[-1])
        assert arrays["labels"].tolist() == [7, 7]
    file, about = client.predict("gan-digits-conditional", n=3, result="arrays", api_name="/sample_gan")
    with np.load(file) as arrays:
        assert (arrays["images"].shape, about["labels"]) == ((3, 32, 32, 1), [0, 1, 2])
    file, _ = client.predict(n=2, steps=3, result="animation", api_name="/sample_ddpm")
    with Image.open(file) as animation:
        assert animation.n_frames == 4


def test_a_prompt_is_read(client: Client) -> None:
    reading = client.predict("three gray cats", api_name="/read_prompt")
    assert reading["prompt"].startswith("a cat")
    assert reading["understood"]
    assert not client.predict("xyzzy", api_name="/read_prompt")["understood"]
    _, about = client.predict(prompt="kitty", n=1, steps=1, api_name="/sample_latent_diffusion")
    assert about["settings"]["prompt"] in about["command"]
    assert "read as" in about["reading"].lower()


def test_a_digit_is_read_reconstructed_and_measured(client: Client, seven: Path) -> None:
    judged = client.predict(handle_file(seven), api_name="/classify")
    assert judged["class"] == "7"
    assert judged["probabilities"]["7"] > 0.9
    file, code = client.predict(handle_file(seven), api_name="/reconstruct")
    assert json.loads(read_metadata(Path(file))["settings"]) == {"swap": False}
    assert read_metadata(Path(file)).keys() >= {"checkpoint", "provenance"}
    left, right = np.split(np.asarray(Image.open(file).resize((57, 28), Image.Resampling.NEAREST), int), [28], axis=1)
    assert np.corrcoef(left.ravel(), right[:, 1:].ravel())[0, 1] > 0.8
    assert len(code["mu"]) == 20
    assert code["kl"] > 0 > code["reconstruction"]
    bits = client.predict(handle_file(seven), api_name="/likelihood")
    assert 0.5 < bits["bits_per_dimension"] < 3


@pytest.mark.parametrize(
    ("name", "body", "status", "sentence"),
    [
        ("sample_ddpm", {"n": 65}, 422, "N must be a whole number from 1 to 64, not 65."),
        ("sample_ddpm", {"n": 2.5}, 422, "whole number"),
        ("sample_ddpm", {"steps": 101}, 422, "from 1 to 100"),
        ("sample_ddpm", '{"w": NaN}', 422, "W must be a number from 0 to 20, not nan."),
        ("sample_ddpm", {"label": "<b>"}, 422, "whole number"),
        ("sample_ddpm", {"number": 2}, 422, "A parameter must be one of checkpoint, n, "),
        ("sample_ddpm", {"checkpoint": "../../etc/passwd"}, 422, "Checkpoint must be one of ddpm-digits"),
        ("sample_ddpm", {"checkpoint": "vae-digits"}, 422, "Checkpoint must be one of ddpm-digits"),
        ("sample_vae", {"result": "animation"}, 422, "Result must be one of grid, arrays"),
        ("sample_latent_diffusion", {"prompt": "x" * 301}, 422, "at most 300 characters"),
        ("sample_latent_diffusion", {"prompt": None}, 422, "Prompt must be text"),
        ("read_prompt", {}, 422, "Prompt is missing"),
        ("classify", {"picture": "/etc/passwd"}, 422, "uploaded before"),
        ("classify", {"picture": {"path": "/etc/passwd"}}, 422, "uploaded before"),
        ("classify", {"picture": {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}}, 422, "uploaded"),
        ("classify", {"picture": {"path": "a\0b", "meta": {"_type": "gradio.FileData"}}}, 422, "uploaded before"),
        ("sample_ddpm", [1, 2], 422, "must be an object of JSON"),
        ("sample_ddpm", "{", 422, "must be an object of JSON"),
        ("sample_ddpm", "[" * 50_000, 422, "must be an object of JSON"),
        ("sample_ddpm", " " * 100_001, 413, "at most 100000 bytes"),
        ("sample_cats", {}, 404, "There is no such endpoint; there are list_checkpoints, "),
        ("ddpm", {}, 404, "There is no such endpoint"),
    ],
)
def test_a_mistake_is_one_sentence_with_a_status(
    address: str, name: str, body: Any, status: int, sentence: str
) -> None:
    answer = post(address, name, body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert sentence in answer.json()["error"]
    assert len(answer.json()["error"]) < 400


def test_what_only_the_run_finds_out_is_one_sentence_too(address: str, client: Client) -> None:
    for name, values, sentence in [
        ("sample_ddpm", {"n": 64, "steps": 100}, "N times steps must be at most"),
        ("sample_ddpm", {"label": 10}, "no class 10"),
        ("sample_latent_diffusion", {"prompt": "xyzzy"}, "names an emoji or a background"),
    ]:
        event, data = fetch(address, name, post(address, name, values).json()["event_id"])
        assert event == "error"
        assert sentence in data["error"]
    with pytest.raises(AppError, match="N must be a whole number from 1 to 64"):
        client.predict(n=1000, api_name="/sample_vae")


def test_values_in_order_are_checked_alike(address: str) -> None:
    answer = post(address, "read_prompt", {"data": ["an owl", "text-to-image-emoji"]}, version="")
    assert fetch(address, "read_prompt", answer.json()["event_id"])[1][0]["prompt"] == "an owl"
    for data in ([], ["an owl"], "an owl", None):
        answer = post(address, "read_prompt", {"data": data}, version="")
        assert (answer.status_code, "prompt, checkpoint" in answer.json()["error"]) == (422, True)
    assert post(address, "ddpm", {"data": []}, version="").status_code == 404, "an event of the page's own"


def test_a_result_is_fetched_once(address: str) -> None:
    event_id = post(address, "list_checkpoints", {}).json()["event_id"]
    assert fetch(address, "list_checkpoints", event_id)[0] == "complete"
    for unknown in (event_id, "nosuch"):
        answer = httpx.get(f"{address}gradio_api/call/list_checkpoints/{unknown}", timeout=30)
        assert (answer.status_code, "fetched before" in answer.json()["error"]) == (404, True)


def test_nothing_skips_the_queue(address: str) -> None:
    answer = httpx.post(f"{address}gradio_api/run/sample_vae", json={"data": ["vae-digits"]}, timeout=30)
    assert answer.status_code == 404


def test_the_server_tells_its_health_while_a_model_computes(address: str) -> None:
    health, running = f"{address}gradio_api/health", set[int]()
    assert httpx.get(health, timeout=30).json() == {"status": "ok", "running": 0, "waiting": 0}
    with ThreadPoolExecutor() as pool:
        run = pool.submit(call, address, "sample_ddpm", n=2, steps=20)
        while not wait([run], timeout=0.05).done:
            running.add(httpx.get(health, timeout=30).raise_for_status().json()["running"])
    run.result()
    assert max(running) == 1, "it answers before the run ends"


VALUES: list[Any] = [
    None, True, False, 0, 1, 2, -1, 1.5, 65, 2**64, 10**400, 1e300, float("nan"), float("inf"), "", "a cat", "ddim",
    "<script>alert(1)</script>", "../../etc/passwd", "x" * 1000, "\ud800", "\0", [], [1, [2, [3]]], {}, {"a": {}},
    {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, {"path": "http://127.0.0.1:1/", "meta": {}},
]  # fmt: skip


def test_nothing_breaks_whatever_is_asked(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    fuzz(address, 150, random.Random(0))
    out = "".join(capfd.readouterr())
    assert "Traceback" not in out, out[:2000]


def fuzz(address: str, n_calls: int, rng: random.Random) -> None:
    """Call endpoints of the OpenAPI document at random."""
    paths = httpx.get(f"{address}gradio_api/openapi.json").json()["paths"]
    calls = {path: item["post"] for path, item in paths.items() if "/call/v2/" in path}
    assert {path.rpartition("/")[2] for path in calls} == ENDPOINTS
    with httpx.Client(base_url=address, timeout=120) as http:
        for _ in range(n_calls):
            path = rng.choice(list(calls))
            schema = calls[path]["requestBody"]["content"]["application/json"]["schema"]["properties"]
            body = {name: rng.choice(VALUES) for name in schema if rng.random() < 0.15}
            body |= {name: rng.choice([1, 2]) for name in ("n", "steps") if name in schema and name not in body}
            body |= {"prompt": "an owl"} if "prompt" in schema and "prompt" not in body else {}
            body |= {"x" * rng.randrange(9): rng.choice(VALUES)} if rng.random() < 0.05 else {}
            answer = http.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
            check_answer(answer, body)
            if answer.status_code == 200:
                result = http.get(f"{path}/{answer.json()['event_id']}")
                assert result.headers["content-type"].startswith("text/event-stream")
                event, data = result.text.strip().splitlines()[-2:]
                if event == "event: error":
                    error = json.loads(data.removeprefix("data: "))["error"]
                    assert error, body
                    assert "\n" not in error
                assert "root:" not in result.text


def check_answer(answer: httpx.Response, body: object) -> None:
    """Check the answer to a call of a fuzzer."""
    assert answer.status_code in (200, 404, 413, 422), (body, answer.text)
    assert answer.headers["content-type"] == "application/json"
    if answer.status_code != 200:
        error = answer.json()["error"]
        assert "\n" not in error, body
        assert "Traceback" not in error


def test_no_file_outside_the_cache_is_readable(address: str) -> None:
    for path in ("/etc/passwd", str(checkpoint.WEIGHTS / "judge-digits.safetensors"), "app.py", "../../etc/passwd"):
        answer = httpx.get(f"{address}gradio_api/file={path}", timeout=30)
        assert answer.status_code in (403, 404), path


def test_a_picture_is_served_from_the_cache(address: str) -> None:
    file, _ = call(address, "sample_vae", n=1)
    assert Path(file["path"]).is_relative_to(Path(gr.utils.get_upload_folder()).resolve())
    assert Image.open(BytesIO(httpx.get(file["url"], timeout=30).content)).size == (112, 112)


def test_every_page_is_small_on_its_way(address: str) -> None:
    """At most 300 kB compressed."""
    for path in ("", *list(discover())[1:]):
        with httpx.stream("GET", f"{address}{path}", headers={"Accept-Encoding": "gzip"}) as page:
            assert len(b"".join(page.iter_raw())) < 300_000
            assert page.headers["content-encoding"] == "gzip"
    with httpx.stream("GET", f"{address}{path}", headers={"Accept-Encoding": ""}) as page:
        assert "content-encoding" not in page.headers
