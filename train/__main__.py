"""python -m train NAME: train the checkpoint of this name, or `evaluate` checkpoints.

The name of a family stands for the first of its checkpoints. Add --help to a name for its options.
"""

import importlib
import pkgutil
import sys
from collections.abc import Collection, Iterable
from dataclasses import replace
from types import ModuleType

import tyro

import train
from playground.runtime import validation
from playground.runtime.validation import UsageError, UserError
from train import processes
from train.evaluation import evaluate
from train.options import Options

EVALUATE = "evaluate"


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status.

    Returns:
        0; after one sentence on what went wrong 1, or 2 where the command asks for something that does not exist; 130
        after Ctrl-C.
    """
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except UserError as error:
        return _report(str(error), 2 if isinstance(error, UsageError) else 1)
    except OSError as error:
        return _report(": ".join(str(part) for part in (error.filename, error.strerror or error) if part), 1)
    except KeyboardInterrupt as stop:
        return _report(str(stop) or "stopped", 130)


def _report(sentence: str, status: int) -> int:
    print(sentence, file=sys.stderr)
    return status


def _run(words: list[str]) -> int:
    families = _load_families()
    recipes: dict[str, Options] = {recipe.name: recipe for module in families.values() for recipe in module.RECIPES}
    defaults: dict[str, Options] = {name: module.RECIPES[0] for name, module in families.items()} | recipes
    if not words or words[0].startswith("-"):
        print(_help(families))
        return 0 if words in (["--help"], ["-h"]) else 2
    name, *flags = words
    prog = f"python -m train {check_name(name, [*defaults, EVALUATE])}"
    if name == EVALUATE:
        tables = evaluate.evaluate(tyro.cli(evaluate.Options, prog=prog, args=flags))
        if processes.is_main_process():
            print(tables)
        return 0
    default = defaults[name]
    options = name_after_data(tyro.cli(type(default), default=default, prog=prog, args=flags), default, recipes)
    if path := families[_family(options)].train(options):
        print(path)
    return 0


def _load_families() -> dict[str, ModuleType]:
    """Import the modules of this package, and return those that define recipes."""
    names = [module.name for module in pkgutil.iter_modules(train.__path__) if module.name != "__main__"]
    modules = {name: importlib.import_module(f"train.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "RECIPES")}


def _help(families: dict[str, ModuleType]) -> str:
    lines = [f"  {name}: {', '.join(recipe.name for recipe in module.RECIPES)}" for name, module in families.items()]
    return "\n".join([str(__doc__), "The families and their checkpoints:", *lines])


def check_name(name: str, commands: Iterable[str]) -> str:
    """Return the name of a command, or raise UsageError if there is none."""
    try:
        return validation.check_choice("what to train", name, commands)
    except UserError as error:
        raise UsageError(str(error)) from None


def name_after_data(options: Options, default: Options, recipes: Collection[str]) -> Options:
    """Return options whose name tells of the data, if they ask for other data than the default's and for no name.

    Otherwise they would replace the checkpoint that is shipped: of `vae-digits-beta4` on Fashion-MNIST it is
    `vae-fashion_mnist-beta4`. Raise UsageError if that name is a recipe's too.
    """
    if options.name != default.name or options.data_name == default.data_name:
        return options
    if default.data_name in default.name:
        name = default.name.replace(default.data_name, options.data_name)
    else:
        name = f"{default.name}-{options.data_name}"
    if name in recipes:
        raise UsageError(f"{name} is the checkpoint of another recipe: run that one, or choose a --name for this one")
    return replace(options, name=name)


def _family(recipe: Options) -> str:
    return type(recipe).__module__.rpartition(".")[2]


if __name__ == "__main__":
    sys.exit(main())
