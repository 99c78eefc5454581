"""The jobs of the app as endpoints for scripts: named parameters in, files and numbers out.

It knows nothing of how a call arrives: `playground.web.api` publishes what `find_endpoints` returns. A family in
`playground.families` that samples has its endpoint here by itself.
"""

from playground.api import catalogue, reading, sampling
from playground.api.endpoint import Endpoint, NewPath
from playground.runtime.paths import Paths


def find_endpoints(paths: Paths, new_path: NewPath) -> list[Endpoint]:
    """Return all endpoints.

    Args:
        paths: Folder of the checkpoints.
        new_path: Function of a file's name that returns the path to write it to.
    """
    samplers = sampling.endpoints(paths, new_path)
    return [catalogue.endpoint(paths, samplers), *samplers.values(), *reading.endpoints(paths, new_path)]
