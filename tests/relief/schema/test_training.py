from relief.schema.training import DetectorClasses


def test_lookups_of_the_detector_classes():
    classes = DetectorClasses(things=(4, 1), stuff=(0, 3))
    assert (classes.num_things, classes.num_stuff, classes.num_categories) == (2, 2, 5)
    assert classes.thing_of_category().tolist() == [-1, 1, -1, -1, 0]
    assert classes.semantic_of_category().tolist() == [1, 0, -1, 2, 0]


def test_no_classes_have_empty_lookups():
    assert DetectorClasses((), ()).thing_of_category().tolist() == []
