"""python -m train NAME: run a recipe. `python -m train --help` lists them."""

import importlib
import pkgutil

import tyro

import train


def main() -> None:
    recipes = {}
    for module in pkgutil.iter_modules(train.__path__):
        found = importlib.import_module(f"train.{module.name}") if module.name != "__main__" else None
        if hasattr(found, "Recipe"):
            recipes[module.name] = found
    subcommands = {name: module.Recipe for name, module in recipes.items()}
    recipe = tyro.extras.subcommand_cli_from_dict(subcommands, description=__doc__)
    path = recipes[type(recipe).__module__.rpartition(".")[2]].train(recipe)
    if path:
        print(path)


if __name__ == "__main__":
    main()
