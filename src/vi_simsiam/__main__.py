"""The command `vi-simsiam`, also `python -m vi_simsiam`."""

import argparse
import sys
from importlib import metadata

from vi_simsiam.core.command import run
from vi_simsiam.inference import command as score_command


def main(arguments: list[str] | None = None) -> None:
    """Run one subcommand and exit with its status: 1 after an error, 2 for arguments that are wrong."""
    parser = argparse.ArgumentParser(prog="vi-simsiam", description="Use a trained model on images of your own.")
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", required=True)
    score = commands.add_parser("score", help="how certain a model is about images", description=score_command.__doc__)
    score_command.add_arguments(score)
    args = parser.parse_args(arguments)
    try:
        run(lambda: sys.exit(score_command.score(args)))
    except KeyboardInterrupt:
        sys.exit(130)


def _version() -> str:
    try:
        return metadata.version("vi-simsiam")
    except metadata.PackageNotFoundError:
        return "not installed, run from its source"


if __name__ == "__main__":
    main()
