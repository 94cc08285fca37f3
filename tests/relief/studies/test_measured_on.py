from relief.sources.image_folder import ImageFolderSource
from relief.studies.measured_on import MeasuredOn


def test_any_data_set_stands_in_place_of_the_tree(tmp_path):
    tree = MeasuredOn(root="tree", split="train", label_space="cityscapes27").ground_truth
    assert (str(tree.root), tree.split, tree.label_space.num_classes) == ("tree", "train", 27)
    assert MeasuredOn().ground_truth.root.name == "sample"
    folder = ImageFolderSource(tmp_path)
    assert MeasuredOn(root="tree", truth=folder).ground_truth is folder
