"""Step `download`: bring a data set's raw files here, verify their checksums, list them."""

from vi_simsiam.config.schema import parse
from vi_simsiam.core.command import job_arguments, run
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.record import RunRecord
from vi_simsiam.data.manifest import write_manifest
from vi_simsiam.data.sources import own
from vi_simsiam.data.sources.registry import find_source


def main() -> None:
    args = job_arguments(__doc__, "out").parse_args()
    params = parse("download", args.params)
    name = params.source or args.dataset
    made = RunRecord("download", args.params, dataset=args.dataset)
    more = {}
    if params.path is None:
        paths = find_source(name).download(args.out, params.mirrors, params.retries)
    else:
        original = own.find_images(params.path)
        own.outside_of(original, args.out)
        classes = None if params.classes is None else own.find_classes(params.classes)
        more["images_state"] = own.state(original, classes)
        paths = own.bring(original, args.out, classes)
        if own.state(original, classes) != more["images_state"]:
            raise Problem(f"{original} was changed while it was read. Run again when it is complete.")
    checksums = write_manifest(args.out, args.dataset, name, paths)
    made.write(args.out, checksums=checksums, **more)


if __name__ == "__main__":
    run(main)
