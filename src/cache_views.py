"""Step `cache_views`: decode and resize a data set's images once, draw and store augmented views."""

import torch

from vi_simsiam.config.schema import parse
from vi_simsiam.core.command import job_arguments, run
from vi_simsiam.core.record import RunRecord, new_result, read, verify
from vi_simsiam.data.left_out import write_report
from vi_simsiam.data.published import find_source
from vi_simsiam.data.store import Store
from vi_simsiam.data.store_writer import build


def main() -> None:
    parser = job_arguments(__doc__, "download", "out")
    parser.add_argument("--threads", type=int, default=1, help="to decode large files; no change of the result")
    args = parser.parse_args()
    params = parse("cache_views", args.params)
    torch.set_num_threads(1)  # or the bytes would depend on the number of cores
    made = RunRecord("cache_views", args.params, (args.download,), dataset=args.dataset)
    downloaded = read(args.download)
    verify(args.download, *downloaded["outputs"])
    source = find_source(downloaded["params"].get("source") or args.dataset)
    images = source.read(args.download, params.size, params.depth, args.threads, params.labels)
    with new_result(args.out) as out:
        write_report(out / "report.csv", images.report)  # first: it lists what may stop the step
        build(out, args.dataset, images, params)
        made.write(out, checksums=Store.open(out).sha256)


if __name__ == "__main__":
    run(main)
