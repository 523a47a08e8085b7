"""The command `vi-simsiam`, also `python -m vi_simsiam`."""

import argparse
import importlib
import sys
from importlib import metadata

from vi_simsiam.config import explain, loading
from vi_simsiam.config.schema import METHODS
from vi_simsiam.core.command import run, write_out
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.text import nearest

# Module of each command in `cli`, its function and its line of help. Only the named command's module is imported: each
# of them imports PyTorch, and `rank` much more.
_COMMANDS = {
    "score": ("score", "score", "table of how certain a trained model is of images"),
    "rank": ("rank.rank", "rank", "order photographs, list faults and copies, without labels"),
    "export": ("onnx", "export", "write a trained model as ONNX"),
}


def main(arguments: list[str] | None = None) -> None:
    """Run one subcommand and exit with its status: 1 after an error, 2 for wrong arguments."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        run(lambda: _main(arguments))
    except KeyboardInterrupt:
        sys.exit(130)


def _main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="vi-simsiam", description="Rank photographs, use a model, look up parameters."
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", required=True)
    _add_params(commands.add_parser("params", help="print a job's parameters and the origin of each"))
    for name, (module, function, text) in _COMMANDS.items():
        command = commands.add_parser(name, help=text)
        if arguments[:1] == [name]:
            code = importlib.import_module(f"vi_simsiam.cli.{module}")
            command.description = code.__doc__
            code.add_arguments(command)
            command.set_defaults(main=getattr(code, function))
    args = parser.parse_args(arguments)
    sys.exit(args.main(args))


def _add_params(parser: argparse.ArgumentParser) -> None:
    parser.description = "Print parameters as YAML, each with its origin: a section of params.yaml, or a recipe."
    parser.add_argument("dataset", help="a recipe")
    parser.add_argument("method", nargs="?", help="a method: leave out the sections of the others")
    parser.add_argument("--params", default="params.yaml", metavar="FILE", help="instead of %(default)s")
    parser.set_defaults(main=_params)


def _params(args: argparse.Namespace) -> int:
    params = loading.load(args.params)
    for value, choices, kind in ((args.dataset, params["recipes"], "recipe"), (args.method, METHODS, "method")):
        if value not in (None, *choices):
            names = [str(name) for name in choices]
            raise Problem(f"{value}: no such {kind}{nearest(value, names)}. Name one of {', '.join(names)}.")
    write_out(explain.of_job(params, args.dataset, args.method))
    return 0


def _version() -> str:
    try:
        return metadata.version("vi-simsiam")
    except metadata.PackageNotFoundError:
        return "not installed, run from its source"


if __name__ == "__main__":
    main()
