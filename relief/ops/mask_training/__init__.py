"""What a class-agnostic detector is taught by: confident masks, dropped losses, rounds."""
