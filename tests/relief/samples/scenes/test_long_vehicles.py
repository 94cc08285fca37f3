from relief.samples.scenes.long_vehicles import bus_end, bus_side, train_end, train_side
from tests.contracts.silhouettes import SilhouetteContract


class TestLongVehicles(SilhouetteContract):
    shapes = (
        (bus_side, (8.5, 11), (2.9, 3.3)),
        (bus_end, (2.4, 2.6), (2.9, 3.3)),
        (train_side, (11, 17), (3.2, 3.6)),
        (train_end, (2.4, 2.7), (3.3, 3.7)),
    )
