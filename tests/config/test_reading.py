"""Every value is read once and means the same to DVC; what does not is named with how to write it."""

import contextlib
import itertools

import pytest
import yaml

from helpers.project import ROOT
from vi_simsiam.config import loading, reading
from vi_simsiam.core.errors import Problem

SHIPPED = (ROOT / "params.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("no", "write false or 'no'"),
        ("On", "write true or 'On'"),
        ("yes", "write true or 'yes'"),
        ("OFF", "write false or 'OFF'"),
        ("010", "write 8 or 10"),
        ("08", "write '08' or 8"),
        ("0o10", "write '0o10' or 8"),
        ("1:30", "write 90 or '1:30'"),
        ("1:30.5", "write 90.5 or '1:30.5'"),
        ("1e2", "write '1e2' or 100"),
        ("1.0e5", "write '1.0e5' or 100000"),
        ("1e-3", "write '1e-3' or 0.001"),
        ("1e-7", "write '1e-7' or 1.0e-07"),
        ("+.5", "write '+.5' or 0.5"),
    ],
)
def test_a_value_of_two_meanings_is_refused_with_its_key_and_how_to_write_it(text, advice):
    for yaml_text, key in ((f"a: {{b: {text}}}", "a.b"), (f"a:\n- {text}\n", "a"), (f"a: &x {text}\nb: *x\n", "a")):
        with pytest.raises(Problem) as caught:
            reading.parse(yaml_text, "some.yaml")
        assert f"{key} = {text}: " in str(caught.value) and advice in str(caught.value)
        assert str(caught.value).startswith("some.yaml: ")
    for one in advice.removeprefix("write ").split(" or "):
        reading.parse(f"a: {one}", "some.yaml")  # what is advised is accepted


def test_what_is_accepted_is_what_dvc_reads():
    """Every text of up to four of the letters that numbers, times and words are made of, and whole files."""
    ruamel = pytest.importorskip("ruamel.yaml")
    texts = ["".join(letters) for n in (1, 2, 3) for letters in itertools.product("018e.+-_:xo", repeat=n)]
    texts += ["".join(letters) for letters in itertools.product("01e.:", repeat=4)]
    words = ["yes", "No", "ON", "off", "y", "n", "True", "~", "null", "NULL", ".inf", ".nan", "2024-01-01"]
    texts += [word + more for word in words for more in ("", "x", ".")]
    accepted, different = 0, []
    for text in texts:
        with contextlib.suppress(Problem):
            value = reading.parse(f"a: {text}", "some.yaml")["a"]
            accepted += 1
            with contextlib.suppress(ruamel.error.YAMLError, ValueError):  # `+_`: DVC says so itself
                theirs = ruamel.YAML(typ="safe").load(f"a: {text}")["a"]
                different += [(text, value, theirs)] * (repr(theirs) != repr(value))
    assert not different and accepted > 800
    assert reading.parse(SHIPPED, "params.yaml") == ruamel.YAML(typ="safe").load(SHIPPED)


@pytest.mark.parametrize("name", ["2024", "on", "no", "null", "~", "1.5", "2024-01-01", "1e2", "010", "true"])
def test_a_name_that_looks_like_something_else_is_refused_and_taken_in_quotes(tmp_path, name):
    recipe = "{download: {path: photos}}"
    with pytest.raises(Problem, match=r"not text: write '.*', in quotes"):
        reading.parse(f"recipes: {{{name}: {recipe}}}", "some.yaml")
    if name == "~":
        return
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
    recipe = yaml.safe_dump({"pets": {"download": {"path": path}}}, default_flow_style=True, default_style="'").strip()
    more.write_text(f"recipes: {recipe}\n")
    for changes in ({"files": [more]}, {"options": [f"recipes={recipe}"]}):
        if path == "":
            with pytest.raises(Problem, match=r"recipes\.pets\.download\.path = ''"):
                loading.load(ROOT / "params.yaml", **changes)
        else:
            params = loading.load(ROOT / "params.yaml", **changes)
            assert loading.resolve(params, "download", "pets")["path"] == path


def test_merged_keys():
    text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: *a, y: 5}\nd: {<<: [*a, *b]}\n"
    params = reading.parse(text, "some.yaml")
    assert params["c"] == {"x": 1, "y": 5} and params["d"] == {"x": 1, "y": 2, "z": 4}
    params = SHIPPED + "  one: &one {cache_views: {size: 16}}\n  two:\n    <<: *one\n    probe: {C: 0.5}\n"
    two = loading.resolve(reading.parse(params, "params.yaml"), "cache_views", "two")
    assert two["size"] == 16
    with pytest.raises(Problem, match="key '<<' stands twice"):  # DVC refuses it
        reading.parse("a: &a {x: 1}\nb: {<<: *a, <<: *a}", "some.yaml")


def test_marks_of_the_order_of_bytes(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SHIPPED.encode())
    assert loading.load(path) == loading.load(ROOT / "params.yaml")
    path.write_bytes(b"# mine\n\xef\xbb\xbf" + SHIPPED.encode())
    with pytest.raises(Problem, match=r"line 2 holds the invisible character U\+FEFF"):  # one in the middle is seen
        loading.load(path)
    path.write_bytes(SHIPPED.encode("utf-16"))
    with pytest.raises(Problem, match="Save it as UTF-8"):
        loading.load(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a {b: *a}", "a.b: holds itself"),
        ("a: " + "[" * 3000, "nested too deeply"),
        ("a: 2024-13-45", "in quotes"),
        ("a: 0x_", "in quotes"),
        ("a: 1\nb: 2\n---\nc: 3\n", "not valid YAML"),
        ("a: {b: 1, 'b': 2}", "a.b: key 'b' stands twice"),
    ],
)
def test_other_odd_texts(text, said):
    with pytest.raises(Problem) as caught:
        reading.parse(text, "some.yaml")
    assert said in str(caught.value)


def test_the_advice_for_numbers_and_texts_of_the_wrong_kind():
    for value, said in (("'1e2'", "write 100)"), ("'60'", "write 60)"), ("'3e-2'", "write 0.03)")):
        with pytest.raises(Problem) as caught:
            loading.load(ROOT / "params.yaml", options=[f"pretrain={{epochs: {value}}}"])
        assert said in str(caught.value)
    for value in ("2024", "true", "2024-01-01"):
        with pytest.raises(Problem, match="in quotes"):
            loading.load(ROOT / "params.yaml", options=[f"download={{path: {value}}}"])
    with pytest.raises(Problem, match="a name is text: write it in quotes"):
        loading.load(ROOT / "params.yaml", options=["datasets=[2024]", "recipes={'2024': {}}"])


def test_later_options_and_files_win_and_replace_nothing_else(tmp_path):
    more = tmp_path / "more.yaml"
    more.write_text("seeds: [5]\nprobe: {C: 2.0}\n")
    params = loading.load(ROOT / "params.yaml", [more], ["seeds=[7]", "probe={k: 3}"])
    assert params["seeds"] == [7] and params["probe"] == loading.load(ROOT / "params.yaml")["probe"] | {
        "C": 2.0,
        "k": 3,
    }
    with pytest.raises(Problem, match="missing"):
        loading.load(ROOT / "params.yaml", [more], alone=True)
    more.write_text("[1, 2]")
    with pytest.raises(Problem, match=r"more\.yaml.*must hold keys and values"):
        loading.load(ROOT / "params.yaml", [more])
