"""`vi-simsiam export`: write encoder and certainty of a trained model as ONNX, for programs without PyTorch."""

import argparse
from pathlib import Path

from vi_simsiam.cli.score import say
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import check_writable
from vi_simsiam.models.export import write
from vi_simsiam.models.model import load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL", help="folder: results/pretrain/<dataset>/<method>/seed<k>")
    parser.add_argument("--onnx", required=True, type=Path, metavar="FILE", help="file to write or replace: .onnx")


def export(args: argparse.Namespace) -> int:
    """Write `args.onnx`. Returns: exit status 0.

    Raises: Problem for a folder without a model, a missing package, or a file that cannot be written.
    """
    if args.onnx.suffix != ".onnx":
        raise Problem(f"--onnx {args.onnx}: name a file that ends in .onnx.")
    check_writable(args.onnx)
    model = load(args.model, "cpu")
    names = write(model, args.onnx)
    images = model.description["images"]
    say(
        f"{args.onnx}: images (N, {images['channels']}, {images['size']}, {images['size']}) float32 in [0, 1] to "
        f"{', '.join(names)}"
    )
    return 0
