"""python -m train NAME: run a recipe, or `evaluate` to judge what they made. `python -m train --help` lists them."""

import importlib
import pkgutil
import sys

import tyro

import train
from playground.validation import UserError
from train import evaluate


def main() -> None:
    names = [module.name for module in pkgutil.iter_modules(train.__path__) if module.name != "__main__"]
    modules = {name: importlib.import_module(f"train.{name}") for name in names}
    recipes = {name: module for name, module in modules.items() if hasattr(module, "Recipe")}
    subcommands = {name: module.Recipe for name, module in recipes.items()} | {"evaluate": evaluate.Options}
    chosen = tyro.extras.subcommand_cli_from_dict(subcommands, description=__doc__)
    try:
        if isinstance(chosen, evaluate.Options):
            result = evaluate.evaluate(chosen)
        else:
            result = recipes[type(chosen).__module__.rpartition(".")[2]].train(chosen)
    except UserError as error:
        sys.exit(str(error))
    if result:
        print(result)


if __name__ == "__main__":
    main()
