"""Whether a path exists, for any name.

The methods of `Path` that answer this raise an error if the name is too long.
"""

from os.path import exists
from os.path import isdir as is_folder
from os.path import isfile as is_file

__all__ = ["exists", "is_file", "is_folder"]
