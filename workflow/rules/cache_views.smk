rule cache_views:
    """Decode and resize the images once; draw and store augmented views."""
    input:
        "data/download/{dataset}/manifest.json",  # holds the sha256 of every downloaded file
        code=pipeline.code("cache_views"),
    output:
        multiext("data/cache_views/{dataset}/images_", "train.npy", "test.npy"),
        multiext("data/cache_views/{dataset}/labels_", "train.npy", "test.npy"),
        multiext(
            "data/cache_views/{dataset}/views_",
            "train.npy",
            "train.parquet",
            "test.npy",
            "test.parquet",
        ),
        multiext("data/cache_views/{dataset}/", "store.json", "run.json"),
    log:
        "logs/cache_views/{dataset}.log",
    benchmark:
        "benchmarks/jobs/cache_views/{dataset}.tsv"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        config=lambda w: pipeline.job_config("cache_views", config, w.dataset),
    message:
        "store images and views of {wildcards.dataset}"
    shell:
        "python src/cache_views.py --dataset {wildcards.dataset} --params {params.config:q}"
        " --download data/download/{wildcards.dataset} --out data/cache_views/{wildcards.dataset} > {log} 2>&1"


rule step_cache_views:
    input:
        expand(rules.cache_views.output, dataset=config["datasets"]),
