"""python -m benchmarks.load: measure the app under the load of a class, with clients that speak to it as its page does.

Most visitors sample digits, think, and sample again, each time with another seed; the others drag a slider of the VAE.
"""

import asyncio
import json
import random
import re
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import tyro

from benchmarks.serving import run_app
from playground.runtime import checkpoint

API = "gradio_api"
TIMEOUT = 120.0  # seconds that a visitor waits for anything
FILE = re.compile(rb'"url":"([^"]+/file=[^"]+)"')
MESSAGE = re.compile(rb'^data: \{"msg":"(\w+)"')
VAE, LATENT = "vae-digits", 20  # the model whose slider is dragged, and the length of its code


@dataclass(frozen=True)
class Options:
    """Measure the app under load; print a Markdown table.

    Attributes:
        weights, data: Folders for `app.py`.
        url: Address of an app that runs already; its memory and its CPU are measured if its process is given as `pid`.
        seconds: Duration of the test.
        samplers: Visitors who sample digits.
        draggers: Visitors who drag a slider.
        thought: Mean of the seconds between the end of a visitor's run and the next click.
        rate: Moves of a slider in a second.
        seed: Of all visitors.
        json: File to write all measurements to.
    """

    weights: Path = checkpoint.WEIGHTS
    data: Path = Path("data")
    url: str = ""
    pid: int | None = None
    seconds: float = 120.0
    samplers: int = 24
    draggers: int = 6
    thought: float = 4.0
    rate: float = 10.0
    seed: int = 0
    json: Path | None = None


@dataclass
class Measurements:
    """Seconds that visitors waited, errors, and the state of the server's process once a second."""

    runs: list[float] = field(default_factory=list)  # from a click to the finished run with its pictures
    starts: list[float] = field(default_factory=list)  # from a click to the first step
    moves: list[float] = field(default_factory=list)  # from a move of a slider to its picture
    errors: list[str] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)  # resident memory
    cpu_seconds: float = 0.0  # of the server
    seconds: float = 0.0  # duration of the test


@dataclass(frozen=True)
class Event:
    """Event of a page: its index, what it is sent, and the component whose click triggers it."""

    index: int
    values: list[Any]
    trigger: int
    seed: int  # place of the seed among the values


class Page:
    """Page of a tab, as its configuration describes it."""

    def __init__(self, config: dict[str, Any]):
        self.dependencies = config["dependencies"]
        self.components = {component["id"]: component["props"] for component in config["components"]}

    def find(self, elem_id: str) -> int:
        """Return the component with an id in the page."""
        return next(key for key, props in self.components.items() if props.get("elem_id") == elem_id)

    def click(self, elem_id: str) -> Event:
        """Return the event on the server that a click on a button triggers, with the values of the controls."""
        button = self.find(elem_id)
        event = next(row for row in self.dependencies if row["backend_fn"] and [button, "click"] in row["targets"])
        props = [self.components[key] for key in event["inputs"]]
        seed = next(i for i, row in enumerate(props) if row.get("label") == "Seed")
        return Event(event["id"], [row.get("value") for row in props], button, seed)


class Visitor:
    """Browser of a visitor, with a session of its own."""

    def __init__(self, client: httpx.AsyncClient, rng: random.Random, tab: str):
        self.client, self.rng, self.tab, self.session = client, rng, tab, uuid.uuid4().hex

    @asynccontextmanager
    async def visit(self) -> AsyncIterator[Page]:
        """Open the page, and keep its session alive."""
        (await self.client.get(f"/{self.tab}")).raise_for_status()
        page = Page((await self.client.get("/config", params={"page": self.tab})).json())
        heartbeat = asyncio.create_task(self._keep_alive())
        try:
            yield page
        finally:
            heartbeat.cancel()
            with suppress(asyncio.CancelledError):
                await heartbeat

    async def _keep_alive(self) -> None:
        async with self.client.stream("GET", f"/{API}/heartbeat/{self.session}", timeout=None) as response:
            async for _ in response.aiter_raw():
                pass

    async def run(self, event: Event) -> tuple[float, float]:
        """Begin a run with another seed and load its pictures; return the seconds to its first step and to its end."""
        start = time.monotonic()
        values = [*event.values]
        values[event.seed] = self.rng.randrange(2**31)
        body = {"fn_index": event.index, "data": values, "session_hash": self.session, "trigger_id": event.trigger}
        (await self.client.post(f"/{API}/queue/join", json=body)).raise_for_status()
        first_step, urls = 0.0, list[str]()
        async for kind, message in self._messages():
            if not first_step and b'"live"' in message:  # the first preview, and not the place of a run that waits
                first_step = time.monotonic() - start
            urls += [url.decode() for url in FILE.findall(message)]
            if kind == "process_completed" and b'"success":false' in message:
                raise RuntimeError(message[-300:].decode())
        if not urls:
            raise RuntimeError("the run has no pictures")
        for url in urls:
            (await self.client.get(url)).raise_for_status()
        return first_step, time.monotonic() - start

    async def _messages(self) -> AsyncIterator[tuple[str, bytes]]:
        """Yield the kind and the text of each message about the run under way."""
        buffer = b""
        async with self.client.stream("GET", f"/{API}/queue/data", params={"session_hash": self.session}) as response:
            async for piece in response.aiter_raw():
                *messages, buffer = (buffer + piece).split(b"\n\n")
                for message in messages:
                    if match := MESSAGE.match(message):
                        yield match[1].decode(), message

    async def move(self, component: int) -> float:
        """Move a slider; return the seconds to its picture."""
        start = time.monotonic()
        data = {"model": VAE, "z": [self.rng.gauss(0, 1) for _ in range(LATENT)]}
        body = {"session_hash": self.session, "component_id": component, "fn_name": "decode", "data": data}
        response = await self.client.post(f"/{API}/component_server", json=body)
        response.raise_for_status()
        if "pixels" not in response.json():
            raise RuntimeError(response.text)
        return time.monotonic() - start


async def sample(visitor: Visitor, options: Options, results: Measurements, end: float) -> None:
    """Sample, think, and sample again."""
    async with visitor.visit() as page:
        event = page.click("ddpm-sample")
        while time.monotonic() < end:
            await asyncio.sleep(visitor.rng.uniform(0, 2 * options.thought))
            try:
                first_step, seconds = await asyncio.wait_for(visitor.run(event), TIMEOUT)
                if time.monotonic() < end:
                    results.starts.append(first_step)
                    results.runs.append(seconds)
            except (httpx.HTTPError, RuntimeError, asyncio.TimeoutError) as error:
                results.errors.append(f"run: {error!r}")


async def drag(visitor: Visitor, options: Options, results: Measurements, end: float) -> None:
    """Drag a slider, whose next move waits for the picture of the one before."""
    async with visitor.visit() as page:
        component = page.find("vae-traverse")
        while time.monotonic() < end:
            pause = asyncio.create_task(asyncio.sleep(1 / options.rate))
            try:
                results.moves.append(await asyncio.wait_for(visitor.move(component), TIMEOUT))
            except (httpx.HTTPError, RuntimeError, asyncio.TimeoutError) as error:
                results.errors.append(f"slider: {error!r}")
            await pause


async def watch(pid: int, results: Measurements, end: float) -> None:
    """Note the memory of the server once a second, and the time that it computed."""
    process = psutil.Process(pid)
    start = sum(process.cpu_times()[:2])
    while time.monotonic() < end:
        results.megabytes.append(process.memory_info().rss / 1e6)
        await asyncio.sleep(1)
    results.cpu_seconds = sum(process.cpu_times()[:2]) - start


async def measure(url: str, pid: int | None, options: Options) -> Measurements:
    """Let all visitors come, and return what they measured."""
    rng, results = random.Random(options.seed), Measurements(seconds=options.seconds)
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT, limits=limits) as client:
        tabs = ["ddpm"] * options.samplers + ["vae"] * options.draggers
        visitors = [Visitor(client, random.Random(rng.random()), tab) for tab in tabs]
        end = time.monotonic() + options.seconds
        tasks = [(sample if v.tab == "ddpm" else drag)(v, options, results, end) for v in visitors]
        if pid:
            tasks.append(watch(pid, results, end))
        await asyncio.gather(*tasks)
    return results


def table(results: Measurements) -> list[str]:
    """Return the rows of the table."""
    runs, memory = len(results.runs), results.megabytes
    rows = {
        "runs a second": f"{runs / results.seconds:.2f}",
        "a run, from the click to its pictures": _quantiles(results.runs),
        "from the click to the first step": _quantiles(results.starts),
        "a slider, from a move to its picture": _quantiles(results.moves),
        "errors": str(len(results.errors)),
    }
    if memory and runs:
        third = memory[len(memory) * 2 // 3 :]
        rows |= {
            "the server's CPU, per run": f"{results.cpu_seconds / runs:.2f} s",
            "memory at the start, the highest": f"{memory[0]:.0f}, {max(memory):.0f} MB",
            "memory in the last third, lowest and highest": f"{min(third):.0f}, {max(third):.0f} MB",
        }
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]


def _quantiles(seconds: Sequence[float]) -> str:
    if not seconds:
        return "none"
    median, p95 = np.quantile(seconds, [0.5, 0.95])
    return f"{median:.3g} [{p95:.3g}] s"


def main(options: Options) -> None:
    """Run the benchmark."""
    with nullcontext() if options.url else run_app(options.weights, options.data) as server:
        if server:
            httpx.get(f"{server.url}ddpm", timeout=TIMEOUT).raise_for_status()
        results = asyncio.run(
            measure(server.url if server else options.url, server.pid if server else options.pid, options)
        )
    print(*table(results), *sorted(set(results.errors))[:5], sep="\n")
    if options.json:
        options.json.write_text(json.dumps(asdict(results)) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Options))
