"""Parts of a file, computed on demand in constant memory."""

from typing import Collection, Iterable, Iterator, List, NamedTuple, Sequence, Tuple, Union, overload

from smartxfer.errors import UsageError
from smartxfer.transfer.extents import merge_extents, missing_extents

__all__ = ["MissingParts", "Part", "Parts", "split_into_parts"]


class Part(NamedTuple):
    """Bytes [start, stop) of a file; ``number`` counts from 0."""

    number: int
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.stop - self.start


class Parts(Sequence[Part]):
    """All parts of a file in order, each computed on access, because there may be billions of them.

    :raises UsageError: the size is negative, or the part size is less than 1.
    """

    def __init__(self, size: int, part_size: int) -> None:
        _check(size, part_size)
        self._size = size
        self._part_size = part_size

    def __len__(self) -> int:
        return len(range(0, self._size, self._part_size))

    @overload
    def __getitem__(self, number: int) -> Part: ...

    @overload
    def __getitem__(self, number: slice) -> List[Part]: ...

    def __getitem__(self, number: Union[int, slice]) -> Union[Part, List[Part]]:
        if isinstance(number, slice):
            return [self[index] for index in range(*number.indices(len(self)))]
        number = range(len(self))[number]
        start = number * self._part_size
        return Part(number, start, min(start + self._part_size, self._size))

    def remaining_bytes(self, completed_parts: Collection[int]) -> int:
        """Return the number of bytes in the parts that are not in ``completed_parts``."""
        count = len(self)
        return self._size - sum(self[number].size for number in set(completed_parts) if 0 <= number < count)


class MissingParts:
    """The parts that cover the missing bytes of a file, in order, each computed on access.

    :param present: extents that are complete; they may begin and end anywhere.
    :raises UsageError: the size is negative, or the part size is less than 1.
    """

    def __init__(self, size: int, present: Iterable[Tuple[int, int]], part_size: int) -> None:
        _check(size, part_size)
        self._size = size
        self._part_size = part_size
        self._present = merge_extents((max(0, start), min(stop, size)) for start, stop in present)

    def __iter__(self) -> Iterator[Part]:
        for start, stop in missing_extents(self._size, self._present, self._part_size):
            yield Part(start // self._part_size, start, stop)

    def remaining_bytes(self, completed_parts: Collection[int]) -> int:
        """Return the number of missing bytes."""
        return self._size - sum(stop - start for start, stop in self._present)


def _check(size: int, part_size: int) -> None:
    if size < 0 or part_size < 1:
        raise UsageError(
            f"cannot split {size} bytes into parts of {part_size}", hint="pass a part size of 1 or more"
        )


def split_into_parts(size: int, part_size: int) -> Parts:
    """Return parts of ``part_size`` bytes that cover ``size`` bytes in order; an empty file has none.

    >>> list(split_into_parts(5, 2))
    [Part(number=0, start=0, stop=2), Part(number=1, start=2, stop=4), Part(number=2, start=4, stop=5)]
    """
    return Parts(size, part_size)
