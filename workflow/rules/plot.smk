rule plot:
    """Tables of all runs, claims with verdicts, headline metrics, figures, the gallery page."""
    input:
        expand(
            "data/cache_views/{dataset}/{file}",
            file=["images_test.npy", "sources_train.parquet", "sources_test.parquet", "store.json"],
            **ALL,
        ),
        expand(f"results/pretrain/{RUN}/history.csv", **ALL),
        expand(
            f"results/probe/{RUN}/{{file}}",
            file=["probe.json", "features_test.npy"],
            **ALL,
        ),
        expand(
            f"results/uncertainty/{RUN}/{{file}}",
            file=[
                "images.parquet",
                "train_images.parquet",
                "crops.parquet",
                "graded.parquet",
                "corrupted.parquet",
                "ood.parquet",
                "neighbours.npy",
                "metrics.json",
            ],
            **ALL,
        ),
    output:
        multiext("results/plot/", "summary.txt", "metrics.json", "run.json"),
        [
            report(
                f"results/plot/{name}.csv",
                category="Results",
                caption=f"../report/{name}.rst",
            )
            for name in ["summary", "measures", "claims", "quantiles", "leaderboard", "ranking"]
        ],
        report(
            "results/plot/gallery.html",
            category="Gallery",
            caption="../report/gallery.rst",
        ),
        [
            report(
                f"results/plot/figures/{name}",
                category="Figures",
                caption=pipeline.caption(name),
            )
            for name in pipeline.FIGURES
        ],
    log:
        "logs/plot.log",
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        config=jobs.as_json("plot", config),
        runs=sorted(expand(RUN, **ALL)),  # the order of the lists in params.yaml must not matter
    message:
        "tables and figures"
    shell:
        "python src/plot.py --params {params.config:q} --data data/cache_views --results results --runs {params.runs:q}"
        " --out results/plot > {log} 2>&1"


rule step_plot:
    input:
        rules.plot.output,
