rule uncertainty:
    """Kappa and every other certainty score: whole test images, graded crops, augmented views."""
    input:
        STORE,
        multiext(f"results/pretrain/{RUN}/", "model.safetensors", "model.json"),
        multiext(f"results/probe/{RUN}/", "probe.json", "classifier.safetensors", "features_train.npy"),
    output:
        multiext(
            f"results/uncertainty/{RUN}/",
            "images.parquet",
            "crops.parquet",
            "views.parquet",
        ),
        multiext(f"results/uncertainty/{RUN}/", "metrics.json", "run.json"),
    log:
        f"logs/uncertainty/{RUN}.log",
    benchmark:
        f"benchmarks/jobs/uncertainty/{RUN}.tsv"
    resources:
        gpu=pipeline.GPU,
        mem_mb=8000,
        runtime=120,
    params:
        code=lambda w: pipeline.code_digest("uncertainty", w.method),
        config=lambda w: pipeline.job_config("uncertainty", config, w.dataset, w.method),
        run=RUN,
    message:
        "uncertainty of {params.run}"
    shell:
        "python src/uncertainty.py --dataset {wildcards.dataset} --method {wildcards.method} --seed {wildcards.seed}"
        " --params {params.config:q}"
        " --store data/cache_views/{wildcards.dataset} --model results/pretrain/{params.run}"
        " --probe results/probe/{params.run} --out results/uncertainty/{params.run} > {log} 2>&1"


rule step_uncertainty:
    input:
        expand(rules.uncertainty.output, **ALL),
