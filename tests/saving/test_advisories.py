"""Each published advisory on loading files with Keras since 2024, by its number: the attack is refused here.

Numbers, titles and affected versions are those of NVD, GitHub's advisory database and CERT/CC as quoted by
public trackers in autumn 2026; the advisories' own pages were not at hand. Weaknesses that were fixed in Keras
without a number that could be found stand at the end, by the number of the change that fixed them.
"""

from __future__ import annotations

import io
import json
import pickle
import stat
import tarfile
import zipfile

import h5py
import numpy as np
import pytest

import polykeras as keras
from polykeras.datasets import stored
from tests.saving import harm
from tests.saving.test_safe_mode import lambdas, layer

DENSE = {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d", "units": 2}, "registered_name": None}
BUILT = {**DENSE, "build_config": {"input_shape": [None, 3]}}


def payload(folder):
    marker = str(folder / "harm")
    return lambda x: open(marker, "w")  # noqa: SIM115


def refused(kind, folder, config, match=None):
    with pytest.raises(ValueError, match=match):
        harm.load(kind, folder, config)
    assert not (folder / "harm").exists()


@pytest.mark.parametrize("kind", harm.FORMATS)
def test_cve_2024_3660_code_in_lambda_layers(tmp_path, kind):
    """VU#253266: a Lambda layer runs the bytecode of its file."""
    for style in ("keras 3", "keras 2"):
        described = layer(style, lambdas(payload(tmp_path))[style])
        refused(kind, tmp_path, harm.sequential(described), "without code")


def tar_with(path, *members):
    """A tar archive of (name, type, link) members, each with a byte."""
    with tarfile.open(path, "w:gz") as archive:
        for name, kind, link in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, link, 1 if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(b"x") if member.size else None)
    return path


TARS = {
    "parent": [("../harm", tarfile.REGTYPE, "")],
    "absolute": [("{folder}/harm", tarfile.REGTYPE, "")],
    "symbolic link": [("link", tarfile.SYMTYPE, "{folder}"), ("link/harm", tarfile.REGTYPE, "")],
    "hard link": [("link", tarfile.LNKTYPE, "../../secret"), ("link", tarfile.REGTYPE, "")],
    "long chain of links": [("a" * 200, tarfile.DIRTYPE, ""), ("b", tarfile.SYMTYPE, "a" * 200 + "/../..")],
    "device": [("null", tarfile.CHRTYPE, "")],
    "pipe": [("pipe", tarfile.FIFOTYPE, "")],
}


def extraction_is_refused(folder, members):
    members = [(n.format(folder=folder), kind, link.format(folder=folder)) for n, kind, link in members]
    (folder / "secret").write_text("kept")
    (folder / "cache").mkdir(exist_ok=True)
    path = tar_with(folder / "data.tar.gz", *members)
    with pytest.raises(ValueError, match="data"):
        keras.utils.get_file(origin=path.as_uri(), extract=True, cache_dir=str(folder / "cache"))
    assert not (folder / "harm").exists() and (folder / "secret").read_text() == "kept"
    assert not [p for p in (folder / "cache").rglob("*") if p.is_symlink() or "harm" in p.name]


@pytest.mark.parametrize("members", ["parent", "absolute", "symbolic link"])
def test_cve_2024_55459_get_file_writes_outside_of_its_folder(tmp_path, members):
    """GHSA-cjgq-5qmw-rcj6."""
    extraction_is_refused(tmp_path, TARS[members])


@pytest.mark.parametrize("kind", harm.FORMATS)
def test_cve_2025_1550_modules_and_functions_that_the_config_names(tmp_path, kind):
    """GHSA-48g7-3x6r-xfhp."""
    command = ["touch", str(tmp_path / "harm")]
    for module, name in (("subprocess", "run"), ("os", "system"), ("builtins", "exec")):
        function = {"module": module, "class_name": "function", "config": name, "registered_name": name}
        refused(kind, tmp_path, harm.sequential(layer("", {"function": function, "arguments": {"args": command}})))
        described = {"module": module, "class_name": name, "config": {"args": command}, "registered_name": None}
        refused(kind, tmp_path, harm.sequential(described))


@pytest.mark.parametrize("kind", harm.FORMATS)
@pytest.mark.parametrize("module, name", [("keras.utils", "get_file"), ("keras.models", "load_model")])
def test_cve_2025_8747_functions_of_keras_itself(tmp_path, kind, module, name):
    """GHSA-c9rc-mg46-23w3: Keras's own functions fetch and load what the config says."""
    function = {"module": module, "class_name": "function", "config": name, "registered_name": "function"}
    (tmp_path / "source").write_text("x")
    arguments = {"origin": (tmp_path / "source").as_uri(), "fname": str(tmp_path / "harm"), "safe_mode": False}
    refused(kind, tmp_path, harm.sequential(layer("", {"function": function, "arguments": arguments})))
    call = harm.functional(layer("", {"function": function}), [], {"inputs": str(tmp_path / "source")})
    refused(kind, tmp_path, call)


@pytest.mark.parametrize("path", ["keras.config", "keras.src.config"])
def test_cve_2025_9906_the_config_switches_safe_mode_off(tmp_path, path):
    """GHSA-36fq-jgmw-4r9c."""
    switch = {"module": path, "class_name": "function", "config": "enable_unsafe_deserialization"}
    code = layer("keras 3", lambdas(payload(tmp_path))["keras 3"])
    for first in (layer("", {"function": switch}), {**switch, "class_name": "enable_unsafe_deserialization"}):
        refused("keras", tmp_path, harm.sequential(first, code))
    refused("keras", tmp_path, harm.sequential(code), "without code")


def test_cve_2025_9905_safe_mode_in_h5_files(tmp_path):
    """``safe_mode`` has no effect on the old format."""
    for style in ("keras 3", "keras 2", "output_shape"):
        described = layer(style, lambdas(payload(tmp_path))[style])
        refused("h5", tmp_path, harm.sequential(described), "without code")


@pytest.mark.parametrize("kind", harm.FORMATS)
def test_cve_2025_12058_vocabularies_are_read_from_anywhere(tmp_path, kind):
    """Local files, and addresses, by StringLookup and its like."""
    (tmp_path / "secret").write_text("a\nb")
    for name in ("StringLookup", "IntegerLookup", "TextVectorization"):
        config = {"name": "l", "vocabulary": str(tmp_path / "secret")}
        refused(kind, tmp_path, harm.sequential({"class_name": name, "config": config}), "paths of files")


@pytest.mark.parametrize("members", TARS)
def test_cve_2025_12060_and_12638_tar_archives_in_get_file(tmp_path, members):
    """Extraction without a filter, which also passes long chains of links."""
    extraction_is_refused(tmp_path, TARS[members])


def test_cve_2025_49655_pickles_in_torch_modules(tmp_path):
    """TorchModuleWrapper."""

    class Harm:
        def __reduce__(self):
            return open, (str(tmp_path / "harm"), "w")

    module = {"class_name": "__bytes__", "config": {"value": pickle.dumps(Harm(), 0).decode()}}
    config = {"name": "l", "module": module}
    for kind in harm.FORMATS:
        refused(kind, tmp_path, harm.sequential({"class_name": "TorchModuleWrapper", "config": config}))


def weights(folder, fill):
    path = folder / "weights.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/dense/vars")
        fill(group)
        group.parent.parent.parent.require_group("vars")
        if "1" not in group:
            group["1"] = np.ones(2, "f")
    return path


def weights_are_refused(folder, fill, match):
    path = weights(folder, fill)
    for suffix in (".keras", ".weights.h5"):
        target = folder / f"model{suffix}"
        if suffix == ".keras":
            harm.archive(target, harm.sequential(BUILT), weights=path.read_bytes())
            with pytest.raises(ValueError, match=match):
                keras.models.load_model(target)
        else:
            path.rename(target)
            with pytest.raises(ValueError, match=match):
                keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).load_weights(target)


def test_cve_2026_0897_shapes_larger_than_the_file(tmp_path):
    """GHSA-xfhx-r7ww-5995 and GHSA-mgx6-5cf9-rr43."""
    shape = (3, 1 << 40)
    weights_are_refused(tmp_path, lambda g: g.create_dataset("0", shape, "f", chunks=(1, 1024)), "file holds 0")


def test_cve_2026_1669_arrays_in_other_files(tmp_path):
    """GHSA-3m4q-jmj6-r34q: external storage in HDF5."""
    (tmp_path / "secret").write_bytes(bytes(24))
    external = [(str(tmp_path / "secret"), 0, 24)]
    weights_are_refused(tmp_path, lambda g: g.create_dataset("0", (3, 2), "f", external=external), "other files")


def test_cve_2026_1462_saved_models_of_tensorflow(tmp_path):
    """GHSA-4f3f-g24h-fr8m of TFSMLayer."""
    config = {"name": "l", "filepath": str(tmp_path), "call_endpoint": "serve"}
    for kind in harm.FORMATS:
        refused(
            kind, tmp_path, harm.sequential({"module": "keras.layers", "class_name": "TFSMLayer", "config": config})
        )


@pytest.mark.parametrize("name", ["../harm", "/harm", "..\\harm", "a/../../harm"])
def test_cve_2026_12479_names_of_layers_as_paths(tmp_path, name):
    """Files are written where a layer's name says."""
    config = {"name": name, "max_tokens": 9}
    described = {"module": "keras.layers", "class_name": "StringLookup", "config": config}
    members = {"assets/layers/string_lookup/vocabulary.txt": "[UNK]\na"}
    path = harm.archive(tmp_path / "model.keras", harm.sequential(described), **members)
    before = set(tmp_path.parent.rglob("*"))
    if "/" in name:
        with pytest.raises(ValueError, match="without '/'"):
            keras.models.load_model(path)
    else:
        keras.models.load_model(path).save(path)
    assert set(tmp_path.parent.rglob("*")) == before


def test_cve_2026_12481_lambda_from_config_outside_of_a_scope(tmp_path):
    """Without a scope that says so, safe mode is on."""
    described = layer("keras 3", lambdas(payload(tmp_path))["keras 3"])
    for load in (keras.layers.deserialize, lambda d: keras.layers.Lambda.from_config(d["config"])):
        with pytest.raises(ValueError, match="without code"):
            load(described)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x)])
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="without code"):
        keras.Sequential.from_config(model.get_config())


def test_ghsa_hqp4_2352_xf5r_extraction_checks_paths_against_the_right_folder(tmp_path, monkeypatch):
    """The number of its CVE could not be verified. The working directory must not count."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "er")
    extraction_is_refused(tmp_path, [("../../harm", tarfile.REGTYPE, "")])


@pytest.mark.parametrize("link", ["external", "soft"])
def test_ghsa_27f4_p4xq_cxg8_links_in_h5_files(tmp_path, link):
    """keras-team/keras#22900; the number of its CVE could not be verified."""
    with h5py.File(tmp_path / "victim.h5", "w") as file:
        file.create_group("model_weights").attrs["layer_names"] = [b"dense"]
    target = h5py.ExternalLink("victim.h5", "/model_weights") if link == "external" else h5py.SoftLink("/x")
    with h5py.File(tmp_path / "attack.h5", "w") as file:
        file.create_group("x").attrs["layer_names"] = [b"dense"]
        file["model_weights"] = target
        file.attrs["model_config"] = json.dumps(harm.sequential(DENSE))
    with pytest.raises(ValueError, match="link"):
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).load_weights(tmp_path / "attack.h5")
    with pytest.raises(ValueError, match="link"):
        keras.models.load_model(tmp_path / "attack.h5")


# ----------------------------------------------------- fixed in Keras without a number that we know


def test_keras_22975_compressed_shapes(tmp_path):
    weights_are_refused(
        tmp_path, lambda g: g.create_dataset("0", (1 << 20, 64), "f", compression="gzip", data=np.zeros((1 << 20, 64))),
        "of which the file holds",
    )  # fmt: skip


def test_keras_22976_virtual_datasets(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["secret"] = np.ones((3, 2), "f")
    layout = h5py.VirtualLayout((3, 2), "f")
    layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "secret", (3, 2))
    weights_are_refused(tmp_path, lambda g: g.create_virtual_dataset("0", layout), "other files")


def test_keras_22899_links_in_groups(tmp_path):
    with h5py.File(tmp_path / "victim.h5", "w") as file:
        file["0"] = np.ones((3, 2), "f")
    weights_are_refused(tmp_path, lambda g: g.__setitem__("0", h5py.ExternalLink("victim.h5", "0")), "link")


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5", "assets/bomb"])
def test_keras_23010_and_23101_compressed_members(tmp_path, member):
    config, path = json.dumps(harm.sequential(DENSE)), tmp_path / "model.keras"
    contents = {"metadata.json": "{}", "config.json": config, "model.weights.h5": ""}
    contents[member] = contents.get(member, "") + " " * (1 << 24)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in contents.items():
            archive.writestr(name, text)
    with pytest.raises(ValueError, match=member):
        keras.models.load_model(path)


def test_keras_22973_and_23015_links_in_extracted_archives(tmp_path):
    for members in ("hard link", "symbolic link"):
        extraction_is_refused(tmp_path, TARS[members])
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, str(tmp_path))
        archive.writestr("link/harm", "x")
    with pytest.raises(ValueError, match="data.zip"):
        keras.utils.get_file(origin=path.as_uri(), extract=True, cache_dir=str(tmp_path / "cache"))
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_keras_23047_pickles_in_data_sets_of_texts(tmp_path, name):
    class Harm:
        def __reduce__(self):
            return open, (str(tmp_path / "harm"), "w")

    array = np.empty(1, object)
    array[0] = Harm()
    np.savez(tmp_path / "data.npz", x=array, y=np.ones(1), x_train=array)
    with pytest.raises(ValueError, match="open"):
        stored.read_npz(tmp_path / "data.npz", "x")
    assert not (tmp_path / "harm").exists()


def test_keras_23252_pickles_in_cifar(tmp_path):
    class Harm:
        def __reduce__(self):
            return open, (str(tmp_path / "harm"), "w")

    (tmp_path / "batch").write_bytes(pickle.dumps({b"data": Harm()}))
    with open(tmp_path / "batch", "rb") as file, pytest.raises(ValueError, match="open"):
        stored.unpickle_arrays(file)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("name", ["mnist", "boston_housing", "california_housing"])
def test_keras_23026_pickles_in_data_sets_of_numbers(tmp_path, name):
    np.savez(tmp_path / "data.npz", x=np.array([{}], object))
    with pytest.raises(ValueError, match="allow_pickle|pickle"):
        np.load(tmp_path / "data.npz", allow_pickle=False)["x"]
