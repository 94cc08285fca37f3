from relief.samples.scenes.people import person, rider_side
from tests.contracts.silhouettes import SilhouetteContract


class TestPeople(SilhouetteContract):
    shapes = (
        (person, (0.4, 1.4), (1.5, 2.0)),
        (rider_side, (0.5, 1.2), (1.6, 2.1)),
    )
