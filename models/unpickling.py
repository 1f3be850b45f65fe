"""Reads a pickle without importing or running anything that it names.

A pickle is a program for a stack machine, whose instructions may import any module and call any
function in it. The machine here has the instructions for containers, numbers, strings and
references only. A name in the pickle is a key of a table of the caller's, and to "call" it is to
call the caller's own function. All other names and instructions are refused.

Source: the documentation in Python's pickletools. From `pickle`, only the codes are used.
"""

import pickle
import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..command import UserError

# Numbers have at most 64 bits. With longer ones, all keys of a dict could have the same hash.
MAX_BYTES = 8


class _Name(NamedTuple):
    """A name in the pickle, and what the caller has for it."""

    value: Any


def unpickle(content: bytes, names: Mapping[str, Any], resolve: Callable[[Any], Any]) -> Any:
    """Returns the value of a pickle: dicts, lists, tuples, strings, numbers, and the caller's own.

    Args:
        content: the pickle, of protocol 2 or later.
        names: "module.name" -> the caller's value, or a function that makes it from the arguments
            in the pickle.
        resolve: returns the value of a persistent identifier.

    Raises:
        UserError: the pickle is damaged or contains something else. The message does not name the
            file.
    """
    try:
        return _Machine(content, names, resolve).run()
    except UserError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, struct.error) as error:
        raise UserError(f"its pickle is damaged ({type(error).__name__})") from error


class _Machine:
    """The stack machine. A damaged pickle makes it raise one of several errors."""

    def __init__(
        self, content: bytes, names: Mapping[str, Any], resolve: Callable[[Any], Any]
    ) -> None:
        self._content, self._at = content, 0
        self._names, self._resolve = names, resolve
        self._stack: list[Any] = []
        # The stacks below each mark.
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Runs all instructions; returns the value on top of the stack."""
        while (code := self._take(1)) != pickle.STOP:
            if code not in _INSTRUCTIONS:
                raise UserError(
                    f"its pickle has the instruction {code!r}, which weights never have"
                )
            _INSTRUCTIONS[code](self)
        return self._stack.pop()

    # === Arguments of instructions, which follow them ===

    def _take(self, count: int) -> bytes:
        """Takes the next bytes of the pickle."""
        taken = self._content[self._at : self._at + count]
        if len(taken) < count:
            raise IndexError
        self._at += count
        return taken

    def _number(self, form: str) -> Any:
        """Takes a number in a form of `struct`."""
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _line(self) -> str:
        """Takes a line."""
        end = self._content.index(b"\n", self._at)
        line = self._content[self._at : end].decode()
        self._at = end + 1
        return line

    # === Instructions ===

    def skip(self, count: int) -> None:
        self._take(count)

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def push_number(self, form: str) -> None:
        self.push(self._number(form))

    def push_long(self) -> None:
        count = self._number("B")
        if count > MAX_BYTES:
            raise UserError(f"its pickle has a number of more than {8 * MAX_BYTES} bits")
        self.push(int.from_bytes(self._take(count), "little", signed=True))

    def push_string(self, form: str) -> None:
        self.push(self._take(self._number(form)).decode("utf-8", "surrogatepass"))

    def push_name(self, name: str) -> None:
        if name not in self._names:
            raise UserError(
                f"contains {name[:80]!r}; only tensors, dicts, lists, numbers and strings are read"
            )
        self.push(_Name(self._names[name]))

    def push_name_of_lines(self) -> None:
        self.push_name(f"{self._line()}.{self._line()}")

    def push_name_of_strings(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self.push_name(f"{module}.{name}" if isinstance(module, str) else "")

    def mark(self) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _pop_to_mark(self) -> list[Any]:
        values, self._stack = self._stack, self._marked.pop()
        return values

    def make_tuple(self) -> None:
        values = self._pop_to_mark()
        self.push(tuple(values))

    def make_tuple_of(self, count: int) -> None:
        values = [self._stack.pop() for _ in range(count)]
        self.push(tuple(reversed(values)))

    def append(self) -> None:
        self._extend([self._stack.pop()])

    def extend(self) -> None:
        self._extend(self._pop_to_mark())

    def _extend(self, values: list[Any]) -> None:
        if not isinstance(self._stack[-1], list):
            raise TypeError
        self._stack[-1].extend(values)

    def set_item(self) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._update([key, value])

    def set_items(self) -> None:
        self._update(self._pop_to_mark())

    def _update(self, values: list[Any]) -> None:
        keys = values[::2]
        if not isinstance(self._stack[-1], dict):
            raise TypeError
        if not all(isinstance(key, str | int) for key in keys):
            raise UserError("its pickle has a dict with keys that are neither strings nor integers")
        self._stack[-1].update(zip(keys, values[1::2], strict=True))

    def remember(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def remember_next(self) -> None:
        self.remember(len(self._memo))

    def recall(self, index: int) -> None:
        self.push(self._memo[index])

    def resolve(self) -> None:
        identifier = self._stack.pop()
        self.push(self._resolve(identifier))

    def call(self) -> None:
        arguments, name = self._stack.pop(), self._stack.pop()
        if not (isinstance(name, _Name) and callable(name.value) and isinstance(arguments, tuple)):
            raise TypeError
        self.push(name.value(*arguments))

    def drop_attributes(self) -> None:
        """Drops the attributes of an OrderedDict; nothing else has any."""
        self._stack.pop()
        if not isinstance(self._stack[-1], dict):
            raise TypeError


_INSTRUCTIONS: dict[bytes, Callable[[_Machine], None]] = {
    pickle.PROTO: lambda machine: machine.skip(1),
    pickle.FRAME: lambda machine: machine.skip(8),
    pickle.NONE: lambda machine: machine.push(None),
    pickle.NEWTRUE: lambda machine: machine.push(True),
    pickle.NEWFALSE: lambda machine: machine.push(False),
    pickle.EMPTY_DICT: lambda machine: machine.push({}),
    pickle.EMPTY_LIST: lambda machine: machine.push([]),
    pickle.EMPTY_TUPLE: lambda machine: machine.push(()),
    pickle.BININT: lambda machine: machine.push_number("<i"),
    pickle.BININT1: lambda machine: machine.push_number("B"),
    pickle.BININT2: lambda machine: machine.push_number("<H"),
    pickle.BINFLOAT: lambda machine: machine.push_number(">d"),
    pickle.LONG1: _Machine.push_long,
    pickle.BINUNICODE: lambda machine: machine.push_string("<I"),
    pickle.SHORT_BINUNICODE: lambda machine: machine.push_string("B"),
    pickle.GLOBAL: _Machine.push_name_of_lines,
    pickle.STACK_GLOBAL: _Machine.push_name_of_strings,
    pickle.MARK: _Machine.mark,
    pickle.TUPLE: _Machine.make_tuple,
    pickle.TUPLE1: lambda machine: machine.make_tuple_of(1),
    pickle.TUPLE2: lambda machine: machine.make_tuple_of(2),
    pickle.TUPLE3: lambda machine: machine.make_tuple_of(3),
    pickle.APPEND: _Machine.append,
    pickle.APPENDS: _Machine.extend,
    pickle.SETITEM: _Machine.set_item,
    pickle.SETITEMS: _Machine.set_items,
    pickle.MEMOIZE: _Machine.remember_next,
    pickle.BINPUT: lambda machine: machine.remember(machine._number("B")),
    pickle.LONG_BINPUT: lambda machine: machine.remember(machine._number("<I")),
    pickle.BINGET: lambda machine: machine.recall(machine._number("B")),
    pickle.LONG_BINGET: lambda machine: machine.recall(machine._number("<I")),
    pickle.BINPERSID: _Machine.resolve,
    pickle.REDUCE: _Machine.call,
    pickle.BUILD: _Machine.drop_attributes,
}
