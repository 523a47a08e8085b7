"""Step `download`: bring a data set's raw files here, verify their checksums, list them."""

import time

from vi_simsiam.command import job_arguments, run
from vi_simsiam.datasets import find_source
from vi_simsiam.manifest import write_manifest
from vi_simsiam.params import parse
from vi_simsiam.record import write_run_record


def main() -> None:
    started = time.time()
    args = job_arguments(__doc__, "out").parse_args()
    params = parse("download", args.params)
    name = params.source or args.dataset
    paths = find_source(name).download(args.out, params.mirrors, params.retries)
    write_manifest(args.out, args.dataset, name, paths)
    write_run_record(args.out, "download", args.params, started, dataset=args.dataset)


if __name__ == "__main__":
    run(main)
