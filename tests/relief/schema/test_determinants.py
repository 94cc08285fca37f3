import pytest

from relief.schema.determinants import determinants


class Labeler:
    pass


class Data:
    free_arguments = frozenset({"root", "batch_size", "num_workers", "on_error", "label_space"})


class Tree:
    free_arguments = frozenset({"root"})


class Means:
    pass


HERE = __name__


def config(**data):
    return {
        "model": {
            "class_path": f"{HERE}.Labeler",
            "init_args": {"short_side_px": 322, "depth": None},
        },
        "fitter": None,
        "trainer": {"devices": 2},
        "data": {"class_path": f"{HERE}.Data", "init_args": {"split": "val", **data}},
    }


def test_folders_workers_and_devices_do_not_count():
    one = determinants(config(root="/data/a", num_workers=4, on_error="skip"))
    other = determinants(config(root="/elsewhere", num_workers=0, batch_size=8))
    assert one == other
    assert one == {
        "model": {"class_path": f"{HERE}.Labeler", "init_args": {"short_side_px": 322}},
        "data": {"class_path": f"{HERE}.Data", "init_args": {"split": "val"}},
    }


def test_what_decides_the_labels_counts():
    assert determinants(config(split="train")) != determinants(config(split="val"))


def test_an_argument_of_k_means_counts_even_where_one_of_the_data_has_its_name():
    def fitted(batch_size):
        fitter = {"class_path": f"{HERE}.Means", "init_args": {"batch_size": batch_size}}
        return determinants({**config(), "fitter": fitter})

    assert fitted(50)["fitter"]["init_args"] == {"batch_size": 50}
    assert fitted(50) != fitted(10000)


def test_files_are_named_without_their_folder():
    parts = determinants(config(names="elsewhere/names.yaml", sizes=[(1, "x/y.npy")]))
    assert parts["data"]["init_args"]["names"] == "names.yaml"
    assert parts["data"]["init_args"]["sizes"] == [[1, "y.npy"]]


def test_the_classes_measured_in_do_not_decide_the_labels():
    assert determinants(config(label_space="cityscapes27")) == determinants(config())


def test_each_part_speaks_for_its_own_arguments():
    def source(**given):
        tree = {"class_path": f"{HERE}.Tree", "init_args": {"root": "a/b", **given}}
        return determinants(config(source=tree, depths=[tree]))["data"]["init_args"]

    assert source(root="c") == source()
    assert source()["source"] == {"class_path": f"{HERE}.Tree", "init_args": {}}
    assert source(label_space="cityscapes27") != source()
    assert source(batch_size=2)["depths"][0]["init_args"] == {"batch_size": 2}


def test_a_class_path_that_leads_nowhere_is_an_error():
    with pytest.raises(ImportError):
        determinants({"data": {"class_path": "no.such.Part", "init_args": {"root": "a"}}})
