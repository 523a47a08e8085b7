rule uncertainty:
    """Kappa and every other certainty score: test images whole, cropped, altered, and of other data sets."""
    input:
        STORE,
        multiext(f"results/pretrain/{RUN}/", "model.safetensors", "model.json"),
        multiext(f"results/probe/{RUN}/", "probe.json", "classifier.safetensors", "losses_train.npy"),
        multiext(f"results/probe/{RUN}/features_", "train.npy", "test.npy"),
        lambda w: expand("data/cache_views/{dataset}/{file}", dataset=jobs.ood(config, w.dataset), file=STORE_FILES),
    output:
        multiext(
            f"results/uncertainty/{RUN}/",
            "images.parquet",
            "train_images.parquet",
            "crops.parquet",
            "graded.parquet",
            "views.parquet",
            "ood.parquet",
            "corrupted.parquet",
        ),
        multiext(f"results/uncertainty/{RUN}/", "neighbours.npy", "metrics.json", "run.json"),
    log:
        f"logs/uncertainty/{RUN}.log",
    resources:
        gpu=pipeline.GPU,
        mem_mb=8000,
        runtime=120,
    params:
        config=lambda w: jobs.as_json("uncertainty", config, w.dataset, w.method),
        soft_labels=lambda w: jobs.soft_labels(config, w.dataset),
        run=RUN,
        ood=lambda w: expand("data/cache_views/{dataset}", dataset=jobs.ood(config, w.dataset)),
    message:
        "uncertainty of {params.run}"
    shell:
        "python src/uncertainty.py --dataset {wildcards.dataset} --method {wildcards.method} --seed {wildcards.seed}"
        " --params {params.config:q}"
        " --store data/cache_views/{wildcards.dataset} --model results/pretrain/{params.run}"
        " --probe results/probe/{params.run} --ood {params.ood} --out results/uncertainty/{params.run} --scratch scratch > {log} 2>&1"


rule step_uncertainty:
    input:
        expand(rules.uncertainty.output, **ALL),
