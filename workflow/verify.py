"""Compare every result with the SHA-256 that its job wrote into run.json: `make verify`.

Exit status: 0, all files are as they were written; 1, some are not, each named on a line.
"""

import sys

import pipeline
from vi_simsiam.core import record


def main() -> int:
    troubles, files = [], 0
    folders = sorted({path.parent for step in pipeline.stages() for top in pipeline.outputs(step)
                      for path in top.rglob(record.NAME)})  # fmt: skip
    for folder in folders:
        try:
            files += len(record.read(folder)["outputs"])
            troubles += [f"{path} {trouble}" for path, trouble in record.damaged(folder)]
        except pipeline.Problem as problem:
            troubles.append(str(problem))
    for trouble in troubles:
        print(trouble)
    print(f"{files} files of {len(folders)} results, {len(troubles)} not as they were written")
    if troubles:
        print(f"Delete {record.NAME} beside those and run `snakemake --cores all`; `dvc repro` does both.")
    return int(bool(troubles))


if __name__ == "__main__":
    sys.exit(main())
