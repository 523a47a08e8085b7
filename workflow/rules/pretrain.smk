rule pretrain:
    """Train one encoder. Its resumable checkpoint lies in scratch/, which neither engine owns, so neither deletes it."""
    input:
        STORE,
        lambda w: jobs.weights_results(config, w.dataset, w.method, w.seed),
    output:
        multiext(
            f"results/pretrain/{RUN}/",
            "model.safetensors",
            "model.json",
            "scoring.json",
            "known.safetensors",
            "history.csv",
            "run.json",
        ),
    log:
        f"logs/pretrain/{RUN}.log",
    threads: lambda w: jobs.threads(config, w.dataset, w.method)
    resources:
        gpu=lambda w: pipeline.GPU * jobs.devices(config, w.dataset, w.method),
        mem_mb=8000,
        runtime=1440,
    params:
        config=lambda w: jobs.as_json("pretrain", config, w.dataset, w.method),
        weights=lambda w: jobs.weights(config, w.dataset),
        run=RUN,
    message:
        "pretrain {params.run}"
    shell:
        "python src/pretrain.py --dataset {wildcards.dataset} --method {wildcards.method} --seed {wildcards.seed}"
        " --params {params.config:q}"
        " --store data/cache_views/{wildcards.dataset} --out results/pretrain/{params.run} --scratch scratch > {log} 2>&1"


rule step_pretrain:
    input:
        expand(rules.pretrain.output, **ALL),
