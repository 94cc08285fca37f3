from relief.schema.training import DetectorClasses


def test_lookups_of_the_detector_classes():
    classes = DetectorClasses(things=(4, 1), stuff=(0, 3))
    assert (classes.num_things, classes.num_stuff, classes.num_categories) == (2, 2, 5)
    assert classes.thing_of_category().tolist() == [-1, 1, -1, -1, 0]
    assert classes.semantic_of_category().tolist() == [1, 0, -1, 2, 0]


def test_things_that_are_told_apart_have_regions_after_the_stuff():
    shared = DetectorClasses(things=(4, 1), stuff=(0, 3))
    assert shared.num_regions == 2
    assert shared.region_of_thing().tolist() == [0, 0]
    assert shared.category_of_region().tolist() == [-1, 0, 3]
    apart = DetectorClasses(things=(4, 1), stuff=(0, 3), apart=True)
    assert (apart.num_stuff, apart.num_regions) == (2, 4)
    assert apart.semantic_of_category().tolist() == [1, 4, -1, 2, 3]
    assert apart.region_of_thing().tolist() == [3, 4]
    assert apart.category_of_region().tolist() == [-1, 0, 3, 4, 1]


def test_no_classes_have_empty_lookups():
    assert DetectorClasses((), ()).thing_of_category().tolist() == []
