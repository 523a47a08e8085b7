"""Step `download`: fetch or copy a data set's raw files, verify their checksums, list them."""

from pathlib import Path

from vi_simsiam.config.schema import parse
from vi_simsiam.core.command import job_arguments, note, run
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import sha256, write_json
from vi_simsiam.core.record import RunRecord, read
from vi_simsiam.data import own_images
from vi_simsiam.data.published import find_source


def note_replaced(out: Path, dataset: str, images: str, state: str | None) -> None:
    """Note that results of other images will be replaced, because a recipe names other images than before.

    Args:
        out: folder of the download. images: path or source that is read now. state: of `own_images.state`.
    """
    try:
        done = read(out)
    except Problem:  # the first download, or an unfinished one
        return
    before = done["params"].get("path") or done["params"].get("source") or dataset
    if state is not None and state == done.get("images_state"):
        return  # the same images, perhaps elsewhere
    if before != images:
        note(
            f"{dataset} was {before} and is {images} now. Where the images differ, results of {dataset} are computed "
            f"again and replace those of {before}. To keep both, give {images} a recipe of its own name, and set "
            f"{dataset} back to {before}."
        )
    elif state is not None:
        note(
            f"{images} has changed (names, sizes or dates of its images). Where the images differ, results of "
            f"{dataset} are computed again and replace the earlier ones."
        )


def main() -> None:
    args = job_arguments(__doc__, "out").parse_args()
    params = parse("download", args.params)
    name = params.source or args.dataset
    made = RunRecord("download", args.params, dataset=args.dataset)
    entries = {}
    if params.path is None:
        note_replaced(args.out, args.dataset, name, None)
        paths = find_source(name).download(args.out, params.mirrors, params.retries)
    else:
        original = own_images.find_images(params.path)
        own_images.outside_of(original, args.out)
        classes = None if params.classes is None else own_images.find_classes(params.classes)
        entries["images_state"] = own_images.state(original, classes)
        note_replaced(args.out, args.dataset, params.path, entries["images_state"])
        paths = own_images.bring(original, args.out, classes)
        if own_images.state(original, classes) != entries["images_state"]:
            raise Problem(f"{original} was changed while it was read. Run again when it is complete.")
    checksums = {path: sha256(args.out / path) for path in paths}
    files = [{"path": path, "bytes": (args.out / path).stat().st_size, "sha256": checksums[path]} for path in paths]
    write_json(args.out / "manifest.json", {"dataset": args.dataset, "source": name, "files": files})
    made.write(args.out, checksums=checksums, **entries)


if __name__ == "__main__":
    run(main)
