"""The command `vi-simsiam`, also `python -m vi_simsiam`."""

import argparse
import sys
from importlib import metadata

from vi_simsiam.config import explain, loading
from vi_simsiam.config.schema import METHODS
from vi_simsiam.core.command import run, write_out
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.text import nearest


def main(arguments: list[str] | None = None) -> None:
    """Run one subcommand and exit with its status: 1 after an error, 2 for arguments that are wrong."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        run(lambda: _main(arguments))
    except KeyboardInterrupt:
        sys.exit(130)


def _main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="vi-simsiam", description="Use a trained model, look up parameters.")
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", required=True)
    _add_params(commands.add_parser("params", help="what a job's parameters are and where each comes from"))
    score = commands.add_parser("score", help="how certain a model is about images")
    rank = commands.add_parser("rank", help="photographs by how certain a model is of them, from nothing but these")
    export = commands.add_parser("export", help="a trained model as ONNX")
    if arguments[:1] != ["params"]:  # which need not wait for PyTorch
        from vi_simsiam.cli import onnx
        from vi_simsiam.cli import score as scoring
        from vi_simsiam.cli.rank import command as ranking

        score.description, rank.description, export.description = scoring.__doc__, ranking.__doc__, onnx.__doc__
        scoring.add_arguments(score)
        score.set_defaults(main=scoring.score)
        ranking.add_arguments(rank)
        rank.set_defaults(main=ranking.rank)
        onnx.add_arguments(export)
        export.set_defaults(main=onnx.export)
    args = parser.parse_args(arguments)
    sys.exit(args.main(args))


def _add_params(parser: argparse.ArgumentParser) -> None:
    parser.description = "Print parameters as YAML, each with its origin: a section of params.yaml, or a recipe."
    parser.add_argument("dataset", nargs="?", help="a recipe; by default, what each recipe changes of the sections")
    parser.add_argument("method", nargs="?", help="leave out the sections of other methods")
    parser.add_argument("--params", default="params.yaml", metavar="FILE", help="instead of %(default)s")
    parser.set_defaults(main=_params)


def _params(args: argparse.Namespace) -> int:
    params = loading.load(args.params)
    for value, choices, kind in ((args.dataset, params["recipes"], "recipe"), (args.method, METHODS, "method")):
        if value is not None and value not in choices:
            names = [str(name) for name in choices]
            raise Problem(f"{value}: no such {kind}{nearest(value, names)}; there are {', '.join(names)}")
    if args.dataset is None:
        write_out(explain.of_recipes(params).rstrip("\n"))
    else:
        write_out(explain.of_job(params, args.dataset, args.method).rstrip("\n"))
    return 0


def _version() -> str:
    try:
        return metadata.version("vi-simsiam")
    except metadata.PackageNotFoundError:
        return "not installed, run from its source"


if __name__ == "__main__":
    main()
