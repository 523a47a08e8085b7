rule probe:
    """Features of all images, k-NN and linear probe."""
    input:
        STORE,
        multiext(f"results/pretrain/{RUN}/", "model.safetensors", "model.json"),
    output:
        multiext(
            f"results/probe/{RUN}/",
            "probe.json",
            "classifier.safetensors",
            "losses_train.npy",
            "run.json",
        ),
        multiext(f"results/probe/{RUN}/features_", "train.npy", "test.npy"),
    log:
        f"logs/probe/{RUN}.log",
    resources:
        gpu=pipeline.GPU,
        mem_mb=8000,
        runtime=120,
    params:
        config=lambda w: jobs.as_json("probe", config, w.dataset, w.method),
        run=RUN,
    message:
        "probe {params.run}"
    shell:
        "python src/probe.py --dataset {wildcards.dataset} --method {wildcards.method} --seed {wildcards.seed}"
        " --params {params.config:q}"
        " --store data/cache_views/{wildcards.dataset} --model results/pretrain/{params.run} --out results/probe/{params.run} --scratch scratch > {log} 2>&1"


rule step_probe:
    input:
        expand(rules.probe.output, **ALL),
