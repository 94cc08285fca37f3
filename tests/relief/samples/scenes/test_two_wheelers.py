from relief.samples.scenes.two_wheelers import bicycle_side, motorcycle_side
from tests.contracts.silhouettes import SilhouetteContract


class TestTwoWheelers(SilhouetteContract):
    shapes = (
        (bicycle_side, (1.6, 2.0), (0.9, 1.3)),
        (motorcycle_side, (1.9, 2.5), (1.2, 1.6)),
    )
