"""Results of the evaluation, which `python -m train evaluate` writes beside the checkpoints."""

import json
from pathlib import Path

from playground.runtime import files
from playground.runtime.checkpoint import JSONObject
from playground.runtime.validation import UserError

FILE = "evaluate.json"
# Rows of text to image: with the error of each of its emoji, and with the shares of pictures of two that are right.
EVERY_EMOJI, TWO_EMOJI = "every emoji", "two emoji"


def read(weights: Path) -> JSONObject:
    """Return the `tables` and the `measurements` in a folder of checkpoints; raise UserError if it holds no results, or
    damaged ones."""
    path = weights / FILE
    if not path.exists():
        raise UserError(f"there is no {path}: `python -m train evaluate` measures the checkpoints and writes it")
    return read_file(path)


def read_file(path: Path) -> JSONObject:
    """Return the `tables` and the `measurements` in a file, or raise UserError if it is damaged."""
    with files.os_errors_to_user_error(path, "read"):
        content = path.read_bytes()
    try:
        results = json.loads(content)
        return {"tables": dict(results["tables"]), "measurements": [dict(record) for record in results["measurements"]]}
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> UserError:
    """Return the error to raise where results are not as the evaluation writes them."""
    return UserError(f"{path} is damaged: move it away, and measure again ({error!r})")
