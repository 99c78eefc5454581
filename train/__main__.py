"""python -m train NAME: make the checkpoint of this name, or `evaluate` what was made. Add --help for the names.

The name of a family stands for the first of its checkpoints.
"""

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
    families = {name: module for name, module in modules.items() if hasattr(module, "RECIPES")}
    recipes = {recipe.name: recipe for module in families.values() for recipe in module.RECIPES}
    first = {family: module.RECIPES[0] for family, module in families.items()}
    commands = {**first, **recipes, "evaluate": evaluate.Options()}
    command = tyro.extras.subcommand_type_from_defaults(commands, prefix_names=False)
    try:
        chosen = tyro.cli(command, description=__doc__)
        if isinstance(chosen, evaluate.Options):
            result = evaluate.evaluate(chosen)
        else:
            result = families[type(chosen).__module__.rpartition(".")[2]].train(chosen)
    except UserError as error:
        sys.exit(str(error))
    if result:
        print(result)


if __name__ == "__main__":
    main()
