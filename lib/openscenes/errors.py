"""Errors that a user can mend, each said in one sentence: what, got, wanted, how to mend it."""


class OpenScenesError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(OpenScenesError, ValueError):
    """A value that a caller passed cannot be used."""


class DataError(OpenScenesError):
    """A data set on disk is missing, incomplete or damaged."""


class WeightsError(OpenScenesError):
    """A weight file is missing or does not fit the network."""


class TrainingError(OpenScenesError):
    """Training cannot go on, for example because the loss is not finite."""
