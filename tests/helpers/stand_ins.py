"""Scripts that stand in for the steps', for tests of what the engines do: a job takes half a second, not ten."""

from helpers.project import Repo
from vi_simsiam.config.loading import STEPS

# Writes the files that its rule promises and a true record, so that both engines do all of their work. The contents
# follow from the job's parameters and inputs: others make other bytes, other code does not.
SCRIPT = """\
import hashlib, json, sys
from pathlib import Path
from vi_simsiam.config import encoder_params
from vi_simsiam.core.files import sha256
from vi_simsiam.core.record import RunRecord, new_result
from vi_simsiam.data import own_images
from vi_simsiam.report.figures.registry import FIGURES

step = Path(sys.argv[0]).stem
def values(name):
    after = sys.argv[sys.argv.index(f"--{name}") + 1 :] if f"--{name}" in sys.argv else []
    return after[: next((i for i, word in enumerate(after) if word.startswith("--")), None)]
def given(name):
    return next(iter(values(name)), None)
params, runs = json.loads(given("params")), values("runs")
identity = {name: given(name) for name in ("dataset", "method", "seed") if given(name) is not None}
if "seed" in identity:
    identity["seed"] = int(identity["seed"])
folders = [folder for name in ("download", "store", "model", "probe", "ood") for folder in values(name)]
folders += [f"data/cache_views/{run.split('/')[0]}" for run in runs]
folders += [f"results/{earlier}/{run}" for run in runs for earlier in ("pretrain", "probe", "uncertainty")]
made = RunRecord(step, params, map(Path, folders), **identity)
more = {"runs": sorted(runs)} if runs else {}
if params.get("path"):
    classes = params["classes"] and own_images.find_classes(params["classes"])
    more["images_state"] = own_images.state(own_images.find_images(params["path"]), classes)
if params.get("soft_labels"):
    more["soft_labels"] = sha256(params["soft_labels"])
if step == "pretrain" and params["backbone"].get("weights"):
    more["weights"] = encoder_params.weights_checksum(params["backbone"]["name"], params["backbone"]["weights"])
splits = ("images_{}.npy", "labels_{}.npy", "views_{}.npy", "views_{}.parquet", "sources_{}.parquet")
files = {
    "download": ["manifest.json"],
    "cache_views": [name.format(s) for name in splits for s in ("train", "test")] + ["store.json", "report.csv"],
    "pretrain": ["model.safetensors", "model.json", "scoring.json", "known.safetensors", "history.csv"],
    "probe": ["probe.json", "classifier.safetensors", "features_train.npy", "features_test.npy",
              "losses_train.npy"],
    "uncertainty": ["metrics.json", "neighbours.npy"]
    + [f"{name}.parquet" for name in ("images", "train_images", "crops", "graded", "corrupted", "views", "ood")],
    "plot": ["metrics.json", "gallery.html", *(f"figures/{name}" for name in FIGURES)]
    + ["summary.txt", "leaderboard.csv"]
    + [f"{name}.csv" for name in ("summary", "measures", "claims", "quantiles", "ranking")],
}
content = hashlib.sha256(repr((step, sys.argv[1:], sorted(made.inputs.items()), more)).encode()).hexdigest()
texts = dict.fromkeys(files[step], content)
if step == "probe":
    texts["probe.json"] = '{"knn_top1": 0.5, "probe_top1": 0.5}'
if step == "uncertainty":
    texts["metrics.json"] = "{}"
if step == "plot":
    texts["metrics.json"] = json.dumps({run: {"knn_top1": int(content[:4], 16)} for run in runs})
    texts["summary.csv"] = "dataset,method,seed,knn_top1\\ndigits,vi_simsiam,0,0.5\\n"
    texts["claims.csv"] = "claim,dataset,method,estimate,ci_low,ci_high,verdict\\n"
with new_result(Path(given("out"))) as out:
    for name, text in texts.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(text)
    made.write(out, **more)
"""


def stand_in(repo: Repo) -> None:
    """Put the stand-ins in the place of the steps' scripts."""
    for step in STEPS:
        (repo.path / f"src/{step}.py").write_text(SCRIPT)
