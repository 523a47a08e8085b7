rule download:
    """Fetch one data set and verify its checksums."""
    output:
        multiext("data/download/{dataset}/", "manifest.json", "run.json"),
    log:
        "logs/download/{dataset}.log",
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        config=lambda w: jobs.as_json("download", config, w.dataset),
        images_state=lambda w: jobs.images_state(config, w.dataset),
    message:
        "download {wildcards.dataset}"
    shell:
        "python src/download.py --dataset {wildcards.dataset} --params {params.config:q}"
        " --out data/download/{wildcards.dataset} > {log} 2>&1"


rule step_download:
    input:
        expand(rules.download.output, dataset=jobs.all_datasets(config)),
