"""Batches from tf.data service, whose workers read shards on other machines.

See https://www.tensorflow.org/api_docs/python/tf/data/experimental/service.
"""

import re
import socket
from typing import TYPE_CHECKING

from ..command import UserError

if TYPE_CHECKING:
    import tensorflow as tf

# How long to wait for the dispatcher.
_SECONDS = 10


def check(address: str) -> None:
    """Checks that something answers at an address; tf.data service would try for an hour.

    Args:
        address: of the dispatcher, HOST:PORT.

    Raises:
        UserError: it is no address, or nothing answers.
    """
    match = re.fullmatch(r"(.+):(\d{1,5})", address)
    if match is None:
        raise UserError(f"--data_service={address} is not HOST:PORT")
    try:
        socket.create_connection((match[1], int(match[2])), _SECONDS).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"--data_service={address}: no dispatcher of tf.data service answers ({reason}); start "
            "one there, or correct the address"
        ) from error


def distribute(dataset: "tf.data.Dataset", address: str) -> "tf.data.Dataset":
    """Lets the workers of a service make the elements of a dataset, each element once.

    The files of the dataset are split among the workers as they ask for them. The order of the
    elements depends on how fast the workers are.

    Args:
        dataset: begins with file names, and has no functions of Python in its graph, which could
            run in this process only.
        address: of the dispatcher, HOST:PORT.
    """
    import tensorflow as tf

    service = tf.data.experimental.service
    return dataset.apply(service.distribute(service.ShardingPolicy.DYNAMIC, f"grpc://{address}"))
