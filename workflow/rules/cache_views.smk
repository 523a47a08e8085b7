SPLIT_FILES = [
    "images_{split}.npy",
    "labels_{split}.npy",
    "views_{split}.npy",
    "views_{split}.parquet",
    "sources_{split}.parquet",
]
STORE_FILES = [*expand(SPLIT_FILES, split=["train", "test"]), "store.json"]
STORE = expand("data/cache_views/{{dataset}}/{file}", file=STORE_FILES)


rule cache_views:
    """Decode and resize the images once; draw and store augmented views."""
    input:
        "data/download/{dataset}/manifest.json",  # holds the sha256 of every downloaded file
    output:
        STORE,
        multiext("data/cache_views/{dataset}/", "report.csv", "run.json"),
    log:
        "logs/cache_views/{dataset}.log",
    threads: 4  # at most; fewer where there are fewer
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        config=lambda w: jobs.as_json("cache_views", config, w.dataset),
    message:
        "store images and views of {wildcards.dataset}"
    shell:
        "python src/cache_views.py --dataset {wildcards.dataset} --params {params.config:q} --threads {threads}"
        " --download data/download/{wildcards.dataset} --out data/cache_views/{wildcards.dataset} > {log} 2>&1"


rule step_cache_views:
    input:
        expand(rules.cache_views.output, dataset=jobs.all_datasets(config)),
