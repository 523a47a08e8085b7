"""Parameter files, --configfile and --config: read as DVC reads them, and what cannot be read is named."""

import pytest

from helpers.project import ROOT
from vi_simsiam.config import loading
from vi_simsiam.core.errors import Problem

SHIPPED = (ROOT / "params.yaml").read_text(encoding="utf-8")


def read(tmp_path, text):
    path = tmp_path / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return loading.read(path)


def test_values_are_those_of_dvc(tmp_path):
    serialize = pytest.importorskip("dvc.utils.serialize")
    words = ["no", "On", "010", "0o10", "1:30", "1e2", "1e-7", "+.5", "1_000", "null", "~", "y", "2024-01-01", "'1e2'"]
    text = SHIPPED + "".join(f"{i}: {word}\n" for i, word in enumerate(words))
    values = read(tmp_path, text)
    assert values == serialize.load_yaml(tmp_path / "some.yaml")
    assert [values[i] for i in range(6)] == ["no", "On", 10, 8, "1:30", 100.0]


@pytest.mark.parametrize("name", ["2024", "on", "null", "1.5", "1e2", "010", "true"])
def test_a_name_that_looks_like_something_else_is_taken_in_quotes(tmp_path, name):
    recipe = "{download: {path: photos}}"
    if name != "on":  # which is text
        with pytest.raises(Problem, match=r"recipes\..*: input should be a valid string"):
            loading.load(ROOT / "params.yaml", options=[f"recipes={{{name}: {recipe}}}"])
    path = tmp_path / "more.yaml"
    path.write_text(f"datasets: ['{name}']\nrecipes: {{'{name}': {recipe}}}\n")
    options = [f"datasets=['{name}']", f"recipes={{'{name}': {recipe}}}"]
    for changes in ({"files": [path]}, {"options": options}):
        params = loading.load(ROOT / "params.yaml", **changes)
        assert loading.resolve(params, "download", name)["path"] == "photos"
        assert loading.resolve(params, "download", params["datasets"][0])["source"] == "files"


@pytest.mark.parametrize(
    "path", ["photos #1", "on", "1e3", "null", "a: b", "007", "1:30", "it's", "{a}", "- x", "", " a"]
)
def test_a_text_in_quotes_is_taken_as_it_is_wherever_it_stands(tmp_path, path):
    """In --configfile and --config as in params.yaml: a value that is read twice becomes another one."""
    more = tmp_path / "more.yaml"
    quoted = "'" + path.replace("'", "''") + "'"
    recipe = f"{{pets: {{download: {{path: {quoted}}}}}}}"
    more.write_text(f"recipes: {recipe}\n")
    for changes in ({"files": [more]}, {"options": [f"recipes={recipe}"]}):
        if path == "":
            with pytest.raises(Problem, match=r"recipes\.pets\.download\.path = ''"):
                loading.load(ROOT / "params.yaml", **changes)
        else:
            params = loading.load(ROOT / "params.yaml", **changes)
            assert loading.resolve(params, "download", "pets")["path"] == path


def test_marks_of_the_order_of_bytes(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SHIPPED.encode())
    assert loading.load(path) == loading.load(ROOT / "params.yaml")
    path.write_bytes(SHIPPED.replace("\nseeds", "\n\ufeffseeds").encode())  # one in the middle is seen
    with pytest.raises(Problem, match=r"\\ufeffseeds: unknown key \(did you mean seeds\?\)"):
        loading.load(path)
    path.write_bytes(SHIPPED.encode("utf-16"))
    with pytest.raises(Problem, match="Save it as UTF-8"):
        loading.load(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "not valid YAML"),
        ("\tx: 1", "not valid YAML"),
        ("a: !!python/object/apply:os.system ['touch pwned']", "not valid YAML"),
        ("- 1\n- 2\n", "must hold keys and values"),
        ("", "must hold keys and values"),
        ("? [a, b]\n: 1\n", "keys should be strings"),
        ("a: 2024-13-45", "in quotes"),
        ("a: 0x_", "in quotes"),
        ("a: !!int ''", "in quotes"),
        ("a: 1\nb: 2\n---\nc: 3\n", "line 3: expected a single document"),
        ("a: {b: 1,\n 'b': 2}", 'line 2: while constructing a mapping, found duplicate key "b"'),
        ("a: &a {x: 1}\nb: {<<: *a, <<: *a}", 'found duplicate merge key "<<"'),
    ],
)
def test_texts_that_are_no_parameter_files(tmp_path, monkeypatch, text, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(Problem, match=r"some\.yaml") as caught:
        loading.load(tmp_path / "some.yaml")
    assert said in str(caught.value) and [file.name for file in tmp_path.iterdir()] == ["some.yaml"]


def test_the_advice_for_texts_of_the_wrong_kind():
    for value in ("2024", "true", "2024-01-01"):
        with pytest.raises(Problem, match="in quotes"):
            loading.load(ROOT / "params.yaml", options=[f"download={{path: {value}}}"])
    with pytest.raises(Problem, match=r"datasets\.0 = 2024: .*in quotes"):
        loading.load(ROOT / "params.yaml", options=["datasets=[2024]", "recipes={'2024': {}}"])
    with pytest.raises(Problem, match=r"pretrain\.cuda_graph = 'no': .*write true or false"):
        loading.load(ROOT / "params.yaml", options=["pretrain={cuda_graph: no}"])


def test_later_options_and_files_win_and_replace_nothing_else(tmp_path):
    more = tmp_path / "more.yaml"
    more.write_text("seeds: [5]\nprobe: {C: 2.0}\n")
    params = loading.load(ROOT / "params.yaml", [more], ["seeds=[7]", "probe={k: 3}"])
    assert params["seeds"] == [7] and params["probe"] == loading.load(ROOT / "params.yaml")["probe"] | {
        "C": 2.0,
        "k": 3,
    }
    more.write_text("[1, 2]")
    with pytest.raises(Problem, match=r"more\.yaml.*must hold keys and values"):
        loading.load(ROOT / "params.yaml", [more])
