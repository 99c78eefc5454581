"""The endpoint that lists the checkpoints, and the settings of their families."""

from collections.abc import Iterator, Mapping
from functools import partial

from playground.api.endpoint import REQUIRED, Answer, Endpoint, Facts
from playground.runtime import checkpoint
from playground.runtime.family import family_names, get_family
from playground.runtime.paths import Paths


def endpoint(paths: Paths, samplers: Mapping[str, Endpoint]) -> Endpoint:
    """Return the endpoint.

    Args:
        paths: Folder of the checkpoints.
        samplers: Endpoint of each family that samples, by the family's name.
    """
    return Endpoint(
        "list_checkpoints",
        "List the trained models: their names, families, data, and the endpoint that samples each, whose settings are "
        "given with defaults and bounds.",
        [],
        partial(list_checkpoints, paths, samplers),
        uses_model=False,
    )


def list_checkpoints(paths: Paths, samplers: Mapping[str, Endpoint]) -> Iterator[Answer]:
    """Yield the checkpoints, and the settings of each endpoint that samples."""
    headers, families = checkpoint.list_checkpoints(paths.weights).headers, family_names()
    checkpoints = []
    for name, header in headers.items():
        sampler = samplers.get(header.family)
        checkpoints.append({
            "name": name,
            "family": header.family,
            "title": get_family(header.family).title if header.family in families else header.family,
            "data": header.provenance.get("data"),
            "endpoint": sampler.name if sampler else None,
        })  # fmt: skip
    settings = {sampler.name: describe_parameters(sampler) for sampler in samplers.values()}
    yield None, {"checkpoints": checkpoints, "settings": settings}


def describe_parameters(endpoint: Endpoint) -> dict[str, Facts]:
    """Return the schema, the default and the meaning of each parameter."""
    return {
        parameter.name: {
            **parameter.schema(),
            **({} if parameter.default is REQUIRED else {"default": parameter.default}),
            "description": parameter.meaning,
        }
        for parameter in endpoint.parameters
    }
