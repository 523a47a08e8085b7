"""Step `download`: bring a data set's raw files here, verify their checksums, list them."""

from vi_simsiam.config.schema import parse
from vi_simsiam.core.command import job_arguments, run
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.record import NAME, RunRecord
from vi_simsiam.data import own_images
from vi_simsiam.data.manifest import write_manifest
from vi_simsiam.data.published import find_source


def main() -> None:
    args = job_arguments(__doc__, "out").parse_args()
    params = parse("download", args.params)
    name = params.source or args.dataset
    made = RunRecord("download", args.params, dataset=args.dataset)
    more = {}
    if params.path is None:
        paths = find_source(name).download(args.out, params.mirrors, params.retries)
    else:
        original = own_images.find_images(params.path)
        own_images.outside_of(original, args.out)
        classes = None if params.classes is None else own_images.find_classes(params.classes)
        more["images_state"] = own_images.state(original, classes)
        (args.out / NAME).unlink(missing_ok=True)  # once the original is known to exist: the copy is replaced now
        paths = own_images.bring(original, args.out, classes)
        if own_images.state(original, classes) != more["images_state"]:
            raise Problem(f"{original} was changed while it was read. Run again when it is complete.")
    checksums = write_manifest(args.out, args.dataset, name, paths)
    made.write(args.out, checksums=checksums, **more)


if __name__ == "__main__":
    run(main)
