"""The teaching of a class-agnostic detector: confident masks, dropped losses, rounds."""
