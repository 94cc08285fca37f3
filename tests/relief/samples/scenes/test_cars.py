from relief.samples.scenes.cars import car_end, car_quarter, car_side, truck_end, truck_side
from tests.contracts.silhouettes import SilhouetteContract


class TestCars(SilhouetteContract):
    shapes = (
        (car_side, (3.9, 4.8), (1.4, 1.8)),
        (car_end, (1.7, 1.96), (1.4, 1.8)),
        (car_quarter, (2.5, 4.3), (1.4, 1.8)),
        (truck_side, (6, 8.5), (2.9, 3.7)),
        (truck_end, (2.3, 2.6), (3.0, 3.7)),
    )
